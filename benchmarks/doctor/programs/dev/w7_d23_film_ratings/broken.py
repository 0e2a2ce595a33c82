import torch
from torch import nn

torch.manual_seed(7)

USERS, FILMS, RATINGS, BATCH = 240, 160, 16000, 80

taste, genre = torch.randn(USERS, 3), torch.randn(FILMS, 3)
mild, good = 0.4 * torch.randn(USERS), 0.5 * torch.randn(FILMS)
pairs = torch.randperm(USERS * FILMS)[:RATINGS]
user, film = pairs // FILMS, pairs % FILMS
stars = 3.0 + mild[user] + good[film] + 0.6 * (taste[user] * genre[film]).sum(1) + 0.25 * torch.randn(RATINGS)

cut = int(0.8 * RATINGS)
mean, std = stars[:cut].mean(), stars[:cut].std()
stars = (stars - mean) / std


class Factors(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.user, self.film = nn.Embedding(USERS, dim), nn.Embedding(FILMS, dim)
        self.user_bias, self.film_bias = nn.Embedding(USERS, 1), nn.Embedding(FILMS, 1)
        self.mix = nn.Sequential(nn.Linear(3 * dim, 64), nn.ReLU(), nn.Linear(64, 1))
        for table in (self.user, self.film, self.user_bias, self.film_bias):
            nn.init.normal_(table.weight, std=0.1)

    def forward(self, u, f):
        a, b = self.user(u), self.film(f)
        deep = self.mix(torch.cat([a, b, a * b], dim=1)).squeeze(1)
        return (a * b).sum(1) + (self.user_bias(u) + self.film_bias(f)).squeeze(1) + deep


def minibatches(n, size):
    for index in torch.randperm(n).split(size):
        yield user[index], film[index], stars[index]


model = Factors(8)
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, weight_decay=1e-5)
decay = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.85)

stream = minibatches(cut, BATCH)
for epoch in range(10):
    model.train()
    total, seen = 0.0, 0
    for u, f, s in stream:
        loss = nn.functional.mse_loss(model(u, f), s)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(s)
        seen += len(s)
    decay.step()
    model.eval()
    with torch.no_grad():
        fit = (model(user[:2000], film[:2000]) - stars[:2000]).pow(2).mean().sqrt()
    print(f"epoch {epoch + 1:2d}  mse {total / max(seen, 1):.4f}  fit {fit:.4f}")

model.eval()
with torch.no_grad():
    test = (model(user[cut:], film[cut:]) - stars[cut:]).pow(2).mean().sqrt().item()
print(f"result: {test:.4f}")
