import torch
from torch import nn


def make_ratings(users=300, films=120, per_user=60):
    taste, style = torch.randn(users, 3), torch.randn(films, 3)
    mood, fame = 0.4 * torch.randn(users), 0.6 * torch.randn(films)
    u = torch.arange(users).repeat_interleave(per_user)
    f = torch.cat([torch.randperm(films)[:per_user] for _ in range(users)])
    stars = 0.6 * (taste[u] * style[f]).sum(1) + mood[u] + fame[f] + 0.2 * torch.randn(len(u))
    shuffled = torch.randperm(len(u))
    return torch.stack([u, f], 1)[shuffled], stars[shuffled]


class Tower(nn.Module):
    def __init__(self, count, dim=24, out=16):
        super().__init__()
        self.table = nn.Embedding(count, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 64), nn.ReLU(), nn.Linear(64, out + 1))

    def forward(self, ids):
        v = self.mlp(self.table(ids))
        return v[:, :-1], v[:, -1]


class TwoTowerTrainer:
    def __init__(self, users, films, lr_user, lr_film, batch=256):
        self.user_tower, self.film_tower = Tower(users), Tower(films)
        self.opt_user = torch.optim.Adam(self.user_tower.parameters(), lr=lr_user)
        self.opt_film = torch.optim.Adam(self.film_tower.parameters(), lr=lr_film)
        self.batch = batch

    def score(self, pairs):
        u, bu = self.user_tower(pairs[:, 0])
        f, bf = self.film_tower(pairs[:, 1])
        return (u * f).sum(1) + bu + bf

    def train_epoch(self, pairs, stars):
        self.user_tower.train()
        self.film_tower.train()
        total = 0.0
        for part in torch.randperm(len(pairs)).split(self.batch):
            loss = (self.score(pairs[part]) - stars[part]).square().mean()
            self.opt_film.zero_grad()
            loss.backward()
            self.opt_user.step()
            self.opt_film.step()
            total += loss.item() * len(part)
        return total / len(pairs)

    @torch.no_grad()
    def rmse(self, pairs, stars):
        self.user_tower.eval()
        self.film_tower.eval()
        return (self.score(pairs) - stars).square().mean().sqrt().item()


def main():
    torch.manual_seed(17)
    pairs, stars = make_ratings()
    cut = int(0.85 * len(pairs))
    mean, std = stars[:cut].mean(), stars[:cut].std()
    stars = (stars - mean) / std
    trainer = TwoTowerTrainer(300, 120, lr_user=3e-3, lr_film=3e-3)
    for epoch in range(20):
        mse = trainer.train_epoch(pairs[:cut], stars[:cut])
        if epoch % 4 == 3:
            print(f"epoch {epoch + 1}: train mse {mse:.4f}")
    print(f"result: {trainer.rmse(pairs[cut:], stars[cut:]):.4f}")


if __name__ == "__main__":
    main()
