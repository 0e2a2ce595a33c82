import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class AutoEncoder(nn.Module):
    def __init__(self, width, code):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(width, 32), nn.ELU(), nn.Linear(32, code))
        self.decoder = nn.Sequential(nn.Linear(code, 32), nn.ELU(), nn.Linear(32, width))

    def forward(self, x):
        return self.decoder(self.encoder(x))


class Runner:
    def __init__(self, args):
        self.args = args
        self.model = AutoEncoder(30, 4)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=args.lr)
        self.criterion = nn.MSELoss()

    def train_one_epoch(self, loader):
        self.model.train()
        total = 0.0
        self.optimizer.zero_grad()
        for step, (x,) in enumerate(loader, 1):
            loss = self.criterion(self.model(x), x)
            (loss / self.args.accumulate).backward()
            if step % self.args.accumulate == 0:
                self.optimizer.step()
                self.optimizer.zero_grad()
            total += loss.item()
        return total / len(loader)

    @torch.no_grad()
    def explained(self, x):
        self.model.eval()
        error = (self.model(x) - x).pow(2).sum()
        return 1 - (error / (x - x.mean(0)).pow(2).sum()).item()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--accumulate", type=int, default=2)
    parser.add_argument("--lr", type=float, default=1e-2)
    args = parser.parse_args([])

    torch.manual_seed(8)
    mixing = torch.randn(4, 30) / 2
    x = torch.tanh(torch.randn(2048, 4) @ mixing) + 0.05 * torch.randn(2048, 30)
    loader = DataLoader(TensorDataset(x[:1536]), args.batch_size, shuffle=True)
    runner = Runner(args)
    for epoch in range(args.epochs):
        print(f"epoch {epoch:02d} reconstruction {runner.train_one_epoch(loader):.6f}")
    print(f"result: {runner.explained(x[1536:]):.4f}")


if __name__ == "__main__":
    main()
