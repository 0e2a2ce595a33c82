"""Learning to rank: order the offers of a query, listwise softmax loss."""
import copy
from dataclasses import dataclass

import torch
from torch import nn


@dataclass
class Config:
    queries: int = 1500
    offers: int = 12
    features: int = 20
    batch: int = 50
    epochs: int = 7
    check_every: int = 10
    lr: float = 1e-3
    seed: int = 17


def make_queries(n, cfg, gen, w):
    x = torch.randn(n, cfg.offers, cfg.features, generator=gen)
    utility = torch.tanh(x @ w[0]) * 2 + (x @ w[1]) * (x[..., 0] > 0) + 0.5 * torch.randn(n, cfg.offers, generator=gen)
    place = utility.argsort(1, descending=True).argsort(1)
    return x, (3 - place // 2).clamp(min=0).float()  # two offers of grade 3, two of 2, two of 1, the others 0


def ndcg(scores, grade, k=5):
    discount = 1 / torch.log2(torch.arange(k) + 2.0)

    def dcg(order):
        return ((2 ** grade.gather(1, order[:, :k]) - 1) * discount).sum(1)
    return dcg(scores.argsort(1, descending=True)) / dcg(grade.argsort(1, descending=True))


class Scorer(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(features, 96), nn.LayerNorm(96), nn.ReLU(), nn.Dropout(0.15),
            nn.Linear(96, 96), nn.ReLU(), nn.Dropout(0.15), nn.Linear(96, 1))

    def forward(self, x):
        return self.body(x).squeeze(-1)


class RankTrainer:
    def __init__(self, cfg, train, val):
        self.cfg, self.train, self.val = cfg, train, val
        self.net = Scorer(cfg.features)
        self.opt = torch.optim.AdamW(self.net.parameters(), lr=cfg.lr)
        self.best, self.weights, self.step = 0.0, None, 0

    @torch.no_grad()
    def score(self, x, grade):
        self.net.eval()
        return ndcg(self.net(x), grade).mean().item()

    def check(self):
        value = self.score(*self.val)
        if value > self.best:
            self.best, self.weights = value, copy.deepcopy(self.net.state_dict())

    def fit(self):
        x, grade = self.train
        for epoch in range(self.cfg.epochs):
            self.net.train()
            for idx in torch.randperm(len(x)).split(self.cfg.batch):
                wanted = torch.softmax(grade[idx], 1)
                loss = -(wanted * torch.log_softmax(self.net(x[idx]), 1)).sum(1).mean()
                self.opt.zero_grad()
                loss.backward()
                self.opt.step()
                self.step += 1
                if self.step % self.cfg.check_every == 0:
                    self.check()
                    self.net.train()
            print(f"epoch {epoch}: best validation NDCG so far {self.best:.4f}")
        self.net.load_state_dict(self.weights)


def main():
    cfg = Config()
    torch.manual_seed(cfg.seed)
    gen = torch.Generator().manual_seed(cfg.seed)
    w = torch.randn(2, cfg.features, generator=gen) / 3
    train, val, test = (make_queries(n, cfg, gen, w) for n in (cfg.queries, 300, 600))
    trainer = RankTrainer(cfg, train, val)
    trainer.fit()
    print(f"result: {trainer.score(*test):.4f}")


if __name__ == "__main__":
    main()
