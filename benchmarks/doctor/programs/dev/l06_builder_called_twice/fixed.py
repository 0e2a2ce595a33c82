"""Guess from which of three toy languages a word of eight letters comes."""
import random
import string

import torch
from torch import nn

LETTERS = string.ascii_lowercase


def sample(rng: random.Random) -> tuple[list[int], int]:
    language = rng.randrange(3)
    liked = [LETTERS[:13], LETTERS[8:21], LETTERS[13:]][language]
    word = "".join(rng.choice(liked if rng.random() < 0.8 else LETTERS) for _ in range(8))
    return [LETTERS.index(c) for c in word], language


def make_data(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = random.Random(seed)
    rows = [sample(rng) for _ in range(n)]
    return torch.tensor([r[0] for r in rows]), torch.tensor([r[1] for r in rows])


def build() -> nn.Module:
    return nn.Sequential(nn.Embedding(26, 6), nn.Flatten(), nn.Linear(48, 32), nn.GELU(), nn.Linear(32, 3))


def configure(model: nn.Module, lr: float) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), lr=lr)


def main(epochs: int = 5, batch: int = 60) -> float:
    torch.manual_seed(2)
    train_x, train_y = make_data(1500, seed=1)
    test_x, test_y = make_data(400, seed=2)
    model = build()
    optimizer = configure(model, lr=5e-3)
    for epoch in range(epochs):
        model.train()
        summed = torch.zeros(())
        for ids in torch.randperm(len(train_x)).split(batch):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(train_x[ids]), train_y[ids])
            loss.backward()
            optimizer.step()
            summed += loss.detach() * len(ids)
        print(f"epoch {epoch}: {summed.item() / len(train_x):.6f}")
    model.eval()
    with torch.no_grad():
        return (model(test_x).argmax(dim=-1) == test_y).float().mean().item()


if __name__ == "__main__":
    print(f"result: {main():.4f}")
