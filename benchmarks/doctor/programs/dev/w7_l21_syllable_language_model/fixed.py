"""Next-letter model of an invented language; small micro-batches, one update per group of them."""
import torch
import torch.nn.functional as F
from torch import nn

LETTERS = 20
WINDOW = 24


def write_text(n, gen):
    # every letter depends on the two before it, with two likely continuations each
    table = torch.full((LETTERS, LETTERS, LETTERS), 0.1 / LETTERS)
    rule = torch.Generator().manual_seed(77)
    for a in range(LETTERS):
        for b in range(LETTERS):
            first, second = torch.randperm(LETTERS, generator=rule)[:2]
            table[a, b, first] += 0.7
            table[a, b, second] += 0.2
    cdf = table.cumsum(2)
    cdf = cdf / cdf[..., -1:]
    u = torch.rand(n, generator=gen)
    out = [0, 1]
    for k in range(n):
        out.append(int(torch.searchsorted(cdf[out[-2], out[-1]], u[k])))
    return torch.tensor(out)


def windows(text):
    cut = text[:(len(text) - 1) // WINDOW * WINDOW + 1]
    return cut[:-1].view(-1, WINDOW), cut[1:].view(-1, WINDOW)


class LetterModel(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.emb = nn.Embedding(LETTERS, 24)
        self.rnn = nn.LSTM(24, width, batch_first=True)
        self.out = nn.Linear(width, LETTERS)

    def forward(self, ids):
        h, _ = self.rnn(self.emb(ids))
        return self.out(h)


def run_epoch(model, opt, x, y, micro, group):
    model.train()
    order = torch.randperm(len(x))
    order = order[:len(order) // (micro * group) * micro * group]  # whole groups only
    total = 0.0
    opt.zero_grad()
    for k, idx in enumerate(order.split(micro)):
        loss = F.cross_entropy(model(x[idx]).flatten(0, 1), y[idx].flatten())
        (loss / group).backward()
        if (k + 1) % group == 0:
            opt.step()
            opt.zero_grad()
        total += loss.item() * len(idx)
    return total / len(order)


@torch.no_grad()
def accuracy(model, x, y):
    model.eval()
    hits = sum((model(a).argmax(2) == b).sum().item() for a, b in zip(x.split(100), y.split(100)))
    return hits / y.numel()


def main():
    torch.manual_seed(9)
    gen = torch.Generator().manual_seed(9)
    x, y = windows(write_text(24000, gen))
    x_test, y_test = windows(write_text(8000, gen))
    model = LetterModel()
    opt = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(12):
        print(f"epoch {epoch}: loss {run_epoch(model, opt, x, y, micro=16, group=4):.3f}")
    print(f"result: {accuracy(model, x_test, y_test):.4f}")


main()
