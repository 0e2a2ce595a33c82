import math

import torch
import torch.nn as nn
import torch.nn.functional as F

LENGTH, SYMBOLS = 16, 9


def sequences(n, generator):
    """Which of the first three symbols occurs most often?"""
    ids = torch.randint(0, SYMBOLS, (n, LENGTH), generator=generator)
    counts = torch.stack([(ids == k).sum(1) for k in range(3)], dim=1).float()
    clear = counts.topk(2).values
    keep = clear[:, 0] > clear[:, 1]
    return ids[keep], counts.argmax(1)[keep]


def batches_of(x, y, size, shuffle=False):
    order = torch.randperm(len(x)) if shuffle else torch.arange(len(x))
    for rows in order.split(size):
        yield x[rows], y[rows]


class Encoder(nn.Module):
    def __init__(self, dim=32, heads=4, layers=2):
        super().__init__()
        self.symbol = nn.Embedding(SYMBOLS, dim)
        self.place = nn.Parameter(torch.randn(LENGTH, dim) / math.sqrt(dim))
        layer = nn.TransformerEncoderLayer(dim, heads, 2 * dim, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.head = nn.Linear(dim, 3)

    def forward(self, ids):
        return self.head(self.encoder(self.symbol(ids) + self.place).mean(dim=1))


def train(model, optimizer, data, epochs):
    source = batches_of(*data, size=32, shuffle=True)
    for epoch in range(epochs):
        model.train()
        total, count = 0.0, 0
        for x, y in source:
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            total += loss.item() * len(y)
            count += len(y)
        print(f"epoch {epoch + 1}  {total / max(count, 1):.6f}")


def evaluate(model, data):
    model.eval()
    hits = 0
    with torch.no_grad():
        for x, y in batches_of(*data, size=256):
            hits += (model(x).argmax(1) == y).sum().item()
    return hits / len(data[1])


def main():
    torch.manual_seed(30)
    g = torch.Generator().manual_seed(30)
    train_data, test_data = sequences(2600, g), sequences(700, g)
    model = Encoder()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    train(model, optimizer, train_data, epochs=5)
    print(f"result: {evaluate(model, test_data):.4f}")


main()
