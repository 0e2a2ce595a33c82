"""From which valley does a surname come? A small recurrent reader of letters."""

from __future__ import annotations

import random

import torch
from torch import Tensor, nn

LETTERS = "abcdefghijklmnopqrstuvwxyz"
ENDINGS = [["ari", "oso", "ello"], ["sen", "dahl", "rud"], ["wicz", "ska", "ek"], ["moto", "zaki", "naka"], ["ault", "eau", "ier"]]
LENGTH = 12


def invent(valley: int) -> str:
    stem = "".join(random.choice("bcdfgklmnprstv") + random.choice("aeiou") for _ in range(random.randint(2, 4)))
    if random.random() < 0.12:
        valley = random.randrange(5)
    return (stem + random.choice(ENDINGS[valley]))[-LENGTH:]


def spell(name: str) -> list[int]:
    numbers = [LETTERS.index(letter) + 1 for letter in name]
    return [0] * (LENGTH - len(numbers)) + numbers


class SurnameReader(nn.Module):
    def __init__(self, hidden: int = 64) -> None:
        super().__init__()
        self.letters = nn.Embedding(len(LETTERS) + 1, 24, padding_idx=0)
        self.reader = nn.GRU(24, hidden, batch_first=True)
        self.valley = nn.Linear(hidden, len(ENDINGS))

    def forward(self, names: Tensor) -> Tensor:
        _, last = self.reader(self.letters(names))
        return self.valley(last[0])


class Registry:
    def __init__(self, names: Tensor, valleys: Tensor, batch: int) -> None:
        self.names, self.valleys, self.batch = names, valleys, batch

    def __iter__(self):
        for rows in torch.randperm(len(self.names)).split(self.batch):
            yield self.names[rows], self.valleys[rows]


class Clerk:
    def __init__(self, reader: SurnameReader) -> None:
        self.reader = reader
        self.criterion = nn.NLLLoss()
        self.optimizer = torch.optim.Adam(reader.parameters(), lr=3e-3)

    def study(self, registry: Registry) -> float:
        self.reader.train()
        losses = []
        for names, valleys in registry:
            self.reader.zero_grad()
            loss = self.criterion(self.reader(names), valleys)
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return sum(losses) / len(losses)

    def examine(self, names: Tensor, valleys: Tensor) -> float:
        self.reader.eval()
        with torch.no_grad():
            answers = self.reader(names).argmax(dim=1)
        return (answers == valleys).double().mean().item()


def main() -> None:
    random.seed(9)
    torch.manual_seed(9)
    people = {}
    while len(people) < 2000:
        valley = random.randrange(5)
        people.setdefault(invent(valley), valley)
    names = torch.tensor([spell(name) for name in people])
    valleys = torch.tensor(list(people.values()))
    mixed = torch.randperm(len(names))
    names, valleys = names[mixed], valleys[mixed]

    clerk = Clerk(SurnameReader())
    registry = Registry(names[:1600], valleys[:1600], batch=64)
    for epoch in range(1, 13):
        print(f"{epoch} {clerk.study(registry):.6f}")
    print(f"result: {clerk.examine(names[1600:], valleys[1600:]):.4f}")


if __name__ == "__main__":
    main()
