"""Which language is the word from: counted pairs of letters, lazily prepared."""
import random
from dataclasses import dataclass
from typing import Iterable
import torch
from torch import nn

random.seed(1)
torch.manual_seed(1)
LETTERS = "abcdefghijklmnop"


@dataclass
class Job:
    batches: Iterable
    model: nn.Module
    optimizer: torch.optim.Optimizer
    epochs: int = 6


def word(kind):
    pool = LETTERS[:10] if kind else LETTERS[5:]
    return "".join(random.choice(pool) for _ in range(6))


def count(pair):
    words, kinds = pair
    x = torch.zeros(len(words), len(LETTERS))
    for row, w in enumerate(words):
        for letter in w:
            x[row, LETTERS.index(letter)] += 1
    return x, torch.tensor(kinds)


def groups(n, size):
    for _ in range(n // size):
        kinds = [random.randint(0, 1) for _ in range(size)]
        yield [word(kind) for kind in kinds], kinds


def work(job):
    for epoch in range(job.epochs):
        losses = []
        for x, y in job.batches:
            loss = nn.functional.cross_entropy(job.model(x), y)
            job.optimizer.zero_grad()
            loss.backward()
            job.optimizer.step()
            losses.append(loss.item())
        print(f"epoch {epoch} {sum(losses) / max(1, len(losses)):.6f}")


model = nn.Linear(len(LETTERS), 2)
job = Job(list(map(count, groups(1600, 20))), model, torch.optim.Adam(model.parameters(), lr=0.01))
work(job)
hits = total = 0
for x, y in map(count, groups(400, 40)):
    hits += (model(x).argmax(1) == y).sum().item()
    total += len(y)
print(f"result: {hits / total:.4f}")
