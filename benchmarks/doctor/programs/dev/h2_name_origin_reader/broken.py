"""Guess the language of made-up names from their letters."""
import random
import string

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

LETTERS = {letter: i + 1 for i, letter in enumerate(string.ascii_lowercase)}
STYLES = {"north": ("sk", "v", "rn"), "south": ("io", "la", "a"), "island": ("mo", "k", "ua")}


def invent(style: str, rng: random.Random) -> str:
    pieces = STYLES[style]
    core = "".join(rng.choice(string.ascii_lowercase) for _ in range(5))
    return rng.choice(pieces) + core + rng.choice(pieces)


def encode(names, length=10):
    table = torch.zeros(len(names), length, dtype=torch.long)
    for row, name in zip(table, names):
        row[length - len(name):] = torch.tensor([LETTERS[c] for c in name])
    return table


def corpus(count, rng):
    styles = [rng.randrange(len(STYLES)) for _ in range(count)]
    keys = list(STYLES)
    return encode([invent(keys[s], rng) for s in styles]), torch.tensor(styles)


class NameReader(nn.Module):
    def __init__(self, width=24, memory=32):
        super().__init__()
        self.embed = nn.Embedding(27, width, padding_idx=0)
        self.gru = nn.GRU(width, memory, batch_first=True, bidirectional=True)
        self.decide = nn.Sequential(nn.Linear(2 * memory, 32), nn.ReLU(), nn.Linear(32, len(STYLES)))

    def forward(self, letters):
        _, last = self.gru(self.embed(letters))
        return self.decide(last.view(len(letters), -1))


class Teacher:
    def __init__(self, model, lr=5e-3):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        self.criterion = nn.CrossEntropyLoss()

    def lesson(self, x, y):
        self.model.train()
        self.optimizer.zero_grad()
        loss = self.criterion(self.model(x), y)
        loss.backward()
        clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return loss.item()

    def exam(self, x, y):
        self.model.eval()
        with torch.no_grad():
            return (self.model(x).argmax(1) == y).float().mean().item()


def main():
    torch.manual_seed(40)
    rng = random.Random(40)
    x, y = corpus(1400, rng)
    test_x, test_y = corpus(400, rng)
    teacher = Teacher(NameReader())
    for epoch in range(4):
        losses = [teacher.lesson(x[rows], y[rows]) for rows in torch.randperm(len(x)).split(35)]
        print(f"epoch {epoch} loss {sum(losses) / len(losses):.6f}")
    print(f"result: {teacher.exam(test_x, test_y):.4f}")


main()
