import copy

import torch
from torch import nn
from torch.nn import functional as F


class Factors(nn.Module):
    def __init__(self, n_users, n_films, rank, mean, decay):
        super().__init__()
        self.user, self.film = nn.Embedding(n_users, rank), nn.Embedding(n_films, rank)
        self.user_bias, self.film_bias = nn.Embedding(n_users, 1), nn.Embedding(n_films, 1)
        for table in (self.user, self.film):
            nn.init.normal_(table.weight, std=0.1)
        for table in (self.user_bias, self.film_bias):
            nn.init.zeros_(table.weight)
        self.register_buffer("mean", mean)
        self.decay = decay

    def forward(self, u, f):
        dot = (self.user(u) * self.film(f)).sum(-1)
        return self.mean + dot + self.user_bias(u).squeeze(-1) + self.film_bias(f).squeeze(-1)

    def loss(self, u, f, stars):
        size = self.user(u).square().sum(-1) + self.film(f).square().sum(-1)
        return F.mse_loss(self(u, f), stars) + self.decay * size.mean()


class Ratings:
    """Every triple (user, film, stars) occurs once; 70 / 15 / 15 % for training, choosing and testing."""

    def __init__(self, n_users=400, n_films=250, n=36000):
        pu, pf = torch.randn(n_users, 4) * 0.55, torch.randn(n_films, 4) * 0.55
        bu, bf = torch.randn(n_users) * 0.4, torch.randn(n_films) * 0.5
        cells = torch.randperm(n_users * n_films)[:n]
        u, f = cells // n_films, cells % n_films
        stars = 3.3 + (pu[u] * pf[f]).sum(1) + bu[u] + bf[f] + 0.45 * torch.randn(n)
        a, b = int(0.7 * n), int(0.85 * n)
        self.parts = {"train": (u[:a], f[:a], stars[:a]), "val": (u[a:b], f[a:b], stars[a:b]),
                      "test": (u[b:], f[b:], stars[b:])}
        self.sizes = (n_users, n_films)

    def batches(self, part, size, shuffle):
        u, f, stars = self.parts[part]
        order = torch.randperm(len(u)) if shuffle else torch.arange(len(u))
        for idx in order.split(size):
            yield u[idx], f[idx], stars[idx]


class Recommender:
    def __init__(self, data, rank=8, decay=5e-3, lr=1e-2):
        self.data = data
        self.model = Factors(*data.sizes, rank, data.parts["train"][2].mean(), decay)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=lr)
        self.best, self.best_state = float("inf"), None

    def train_epoch(self):
        self.model.train()
        total, seen = 0.0, 0
        for u, f, stars in self.data.batches("train", 1024, True):
            loss = self.model.loss(u, f, stars)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total, seen = total + loss.item() * len(u), seen + len(u)
        return total / seen

    @torch.no_grad()
    def rmse(self, part):
        self.model.eval()
        total, seen = 0.0, 0
        for u, f, stars in self.data.batches(part, 4096, False):
            total += self.model.loss(u, f, stars).item() * len(u)
            seen += len(u)
        return (total / seen) ** 0.5

    def fit(self, epochs):
        for epoch in range(epochs):
            objective, val = self.train_epoch(), self.rmse("val")
            if val < self.best:
                self.best, self.best_state = val, copy.deepcopy(self.model.state_dict())
            if epoch % 4 == 0:
                print(f"epoch {epoch:2d}  objective {objective:.4f}  val rmse {val:.4f}")
        self.model.load_state_dict(self.best_state)


torch.manual_seed(15)
recommender = Recommender(Ratings())
recommender.fit(epochs=24)
print(f"result: {recommender.rmse('test'):.4f}")
