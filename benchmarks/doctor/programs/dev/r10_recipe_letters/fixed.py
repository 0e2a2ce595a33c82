from dataclasses import dataclass
import math
import random

import torch
from torch import nn


@dataclass
class Config:
    seed: int = 21
    span: int = 32
    batch: int = 24
    hidden: int = 64
    epochs: int = 5
    lr: float = 6e-3
    trace_nans: bool = False


class Scribe(nn.Module):
    """Reads the latest letters with two causal convolutions."""

    def __init__(self, n_signs, hidden):
        super().__init__()
        self.signs = nn.Embedding(n_signs, 20)
        self.near = nn.Conv1d(20, hidden, 4)
        self.far = nn.Conv1d(hidden, hidden, 4, dilation=4)
        self.out = nn.Conv1d(hidden, n_signs, 1)

    def forward(self, ids):
        h = self.signs(ids).transpose(1, 2)
        h = torch.relu(self.near(nn.functional.pad(h, (3, 0))))
        h = torch.relu(self.far(nn.functional.pad(h, (12, 0))))
        return self.out(h)


def write_book(r, n_lines):
    verbs = "stir fold whisk bake chill roast simmer crush grate melt".split()
    amounts = "a cup of,two spoons of,a pinch of,some,half the".split(",")
    things = "flour sugar butter cocoa rice garlic pepper beans honey yeast milk lemon".split()
    tails = "until smooth,for %d minutes,over low heat,in a bowl,twice".split(",")
    lines = []
    for _ in range(n_lines):
        tail = r.choice(tails)
        if "%d" in tail:
            tail = tail % r.randint(2, 59)
        lines.append(f"{r.choice(verbs)} {r.choice(amounts)} {r.choice(things)} and {r.choice(things)} {tail}.")
    return " ".join(lines)


def windows(text, lookup, span):
    ids = torch.tensor([lookup[c] for c in text])
    n = (len(ids) - 1) // span
    return ids[: n * span].view(n, span), ids[1 : n * span + 1].view(n, span)


def train(model, x, y, cfg):
    opt = torch.optim.Adam(model.parameters(), lr=cfg.lr)
    ce = nn.CrossEntropyLoss()
    for epoch in range(cfg.epochs):
        model.train()
        total = 0.0
        for pick in torch.randperm(len(x)).split(cfg.batch):
            opt.zero_grad()
            loss = ce(model(x[pick]), y[pick])
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            opt.step()
            total += loss.item() * len(pick)
        print(f"[{epoch}] nats per letter while training {total / len(x):.3f}")


@torch.no_grad()
def bits(model, x, y):
    model.eval()
    logits = model(x)
    return nn.functional.cross_entropy(logits, y).item() / math.log(2)


def main(cfg=Config()):
    torch.manual_seed(cfg.seed)
    torch.autograd.set_detect_anomaly(cfg.trace_nans)
    r = random.Random(cfg.seed)
    book, unseen = write_book(r, 420), write_book(r, 120)
    lookup = {c: i for i, c in enumerate(sorted(set(book)))}
    model = Scribe(len(lookup), cfg.hidden)
    train(model, *windows(book, lookup, cfg.span), cfg)
    print(f"bits per letter on unseen recipes: {bits(model, *windows(unseen, lookup, cfg.span)):.4f}")


if __name__ == "__main__":
    main()
