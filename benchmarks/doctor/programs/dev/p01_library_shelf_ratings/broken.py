from dataclasses import dataclass

import numpy as np
import torch
from torch import nn


@dataclass
class Config:
    readers: int = 150
    books: int = 120
    taste: int = 4
    factors: int = 6
    lr: float = 0.01
    decay: float = 2e-5
    epochs: int = 20
    batch: int = 256
    seed: int = 71


def rating_table(cfg, rng):
    like = rng.normal(0, 0.55, (cfg.readers, cfg.taste))
    kind = rng.normal(0, 0.8, (cfg.books, cfg.taste))
    score = 3.1 + like @ kind.T + rng.normal(0, 0.3, (cfg.books,)) + rng.normal(0, 0.35, (cfg.readers, cfg.books))
    known = np.argwhere(rng.random(score.shape) < 0.55)
    rng.shuffle(known)
    return known, score[known[:, 0], known[:, 1]].astype(np.float32)


class Factors(nn.Module):
    def __init__(self, cfg, mean):
        super().__init__()
        self.reader = nn.Embedding(cfg.readers, cfg.factors)
        self.book = nn.Embedding(cfg.books, cfg.factors)
        self.book_bias = nn.Embedding(cfg.books, 1)
        for table in (self.reader, self.book):
            nn.init.normal_(table.weight, std=0.1)
        nn.init.zeros_(self.book_bias.weight)
        self.mean = mean

    def forward(self, r, b):
        return self.mean + self.book_bias(b).squeeze(-1) + (self.reader(r) * self.book(b)).sum(-1)


def fit(model, pairs, stars, cfg):
    opt = torch.optim.Adam(model.parameters(), lr=cfg.lr, weight_decay=cfg.decay)
    for epoch in range(cfg.epochs):
        model.train()
        se = 0.0
        for idx in torch.randperm(len(pairs)).split(cfg.batch):
            guess = model(pairs[idx, 0], pairs[idx, 1])
            loss = nn.functional.mse_loss(guess, stars[idx])
            opt.zero_grad()
            loss.backward()
            opt.step()
            se += loss.item() * len(idx)
        if epoch % 5 == 4:
            print(f"epoch {epoch + 1}: train rmse {(se / len(pairs)) ** 0.5:.3f}")


def rmse(model, pairs, stars):
    model.eval()
    with torch.no_grad():
        return nn.functional.mse_loss(model(pairs[:, 0], pairs[:, 1]), stars).sqrt().item()


def main():
    cfg = Config()
    rng = np.random.default_rng(cfg.seed)
    pairs, stars = rating_table(cfg, rng)
    pairs, stars = torch.from_numpy(pairs), torch.from_numpy(stars)
    cut = int(0.85 * len(pairs))
    model = Factors(cfg, stars[:cut].mean().item())
    fit(model, pairs[:cut], stars[:cut], cfg)
    print(f"rmse on hidden ratings: {rmse(model, pairs[cut:], stars[cut:]):.4f}")


if __name__ == "__main__":
    main()
