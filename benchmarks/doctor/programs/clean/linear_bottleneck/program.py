import argparse
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class LowRank(nn.Module):
    """A wide layer of low rank: down without an activation, then up."""

    def __init__(self, inputs, rank, outputs):
        super().__init__()
        self.down = nn.Linear(inputs, rank, bias=False)
        self.up = nn.Linear(rank, outputs)

    def forward(self, x):
        return self.up(self.down(x))


class Net(nn.Module):
    def __init__(self, rank):
        super().__init__()
        self.first = LowRank(40, rank, 64)
        self.act = nn.SiLU()
        self.last = nn.Linear(64, 6)

    def forward(self, x):
        return self.last(self.act(self.first(x)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rank", type=int, default=6)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--lr", type=float, default=0.01)
    args = parser.parse_args()
    torch.manual_seed(15)
    plane = torch.randn(4, 40)
    y = torch.randint(0, 6, (1800,))
    spots = torch.randn(6, 2, 4) * 1.3
    x = (spots[y, torch.randint(0, 2, (1800,))] + 0.5 * torch.randn(1800, 4)) @ plane + 0.3 * torch.randn(1800, 40)
    x = x / x[:1400].std()
    net = Net(args.rank)
    opt = torch.optim.Adam(net.parameters(), lr=args.lr)
    loader = DataLoader(TensorDataset(x[:1400], y[:1400]), batch_size=35, shuffle=True)
    for epoch in range(args.epochs):
        total = 0.0
        for xb, yb in loader:
            opt.zero_grad()
            loss = nn.functional.cross_entropy(net(xb), yb)
            loss.backward()
            opt.step()
            total += loss.item()
        print(f"epoch {epoch} {total / len(loader):.6f}")
    with torch.no_grad():
        print(f"result: {(net(x[1400:]).argmax(1) == y[1400:]).float().mean():.4f}")


if __name__ == "__main__":
    main()
