import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

VOCAB, LENGTH = 24, 16


def make_logs(n, gen):
    """Event logs of a machine; an alarm (id 1) before the reset (id 2) means the run was lost."""
    tokens = torch.randint(3, VOCAB, (n, LENGTH), generator=gen)
    places = torch.rand(n, LENGTH, generator=gen).argsort(1)[:, :2]
    tokens.scatter_(1, places, torch.tensor([1, 2]).expand(n, 2))
    label = (places[:, 0] < places[:, 1]).float()
    return tokens, label


class LogReader(nn.Module):
    def __init__(self, dim=32, heads=2, layers=1):
        super().__init__()
        self.token = nn.Embedding(VOCAB, dim)
        self.place = nn.Parameter(0.1 * torch.randn(LENGTH, dim))
        layer = nn.TransformerEncoderLayer(dim, heads, 2 * dim, dropout=0.0, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(dim), enable_nested_tensor=False)
        self.score = nn.Linear(dim, 1)

    def forward(self, tokens):
        h = self.encoder(self.token(tokens) + self.place)
        return self.score(h.amax(1)).squeeze(-1)


def train(model, loader, args):
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr)
    criterion = nn.BCEWithLogitsLoss()
    model.train()
    optimizer.zero_grad()
    done = 0
    for epoch in range(args.epochs):
        running = 0.0
        for tokens, label in loader:
            loss = criterion(model(tokens), label)
            (loss / args.accumulate).backward()
            running += loss.item()
            done += 1
            if done % args.accumulate == 0:
                optimizer.step()
                optimizer.zero_grad()
        if (epoch + 1) % 34 == 0:
            print(f"epoch {epoch + 1}: {running / len(loader):.4f}")


@torch.no_grad()
def accuracy(model, loader):
    model.eval()
    hits = total = 0
    for tokens, label in loader:
        hits += ((model(tokens) > 0) == (label > 0.5)).sum().item()
        total += len(label)
    return hits / total


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=136)
    parser.add_argument("--batch-size", type=int, default=48)
    parser.add_argument("--accumulate", type=int, default=8)
    parser.add_argument("--lr", type=float, default=4e-3)
    args, _ = parser.parse_known_args()

    torch.manual_seed(17)
    gen = torch.Generator().manual_seed(17)
    train_loader = DataLoader(TensorDataset(*make_logs(6 * args.batch_size, gen)), args.batch_size, shuffle=True)
    test_loader = DataLoader(TensorDataset(*make_logs(500, gen)), 100)
    model = LogReader()
    train(model, train_loader, args)
    print(f"result: {accuracy(model, test_loader):.4f}")


if __name__ == "__main__":
    main()
