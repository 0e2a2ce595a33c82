# Two-tower recommender with BPR loss on implicit feedback
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class Interactions:
    """Users like items that fit their (hidden) taste."""

    def __init__(self, n_users=200, n_items=120, seed=0):
        rng = np.random.default_rng(seed)
        taste = rng.normal(size=(n_users, 4))
        style = rng.normal(size=(n_items, 4))
        view = rng.normal(size=(4, 16)) / 2
        self.user_x = torch.tensor(np.tanh(taste @ view) + 0.1 * rng.normal(size=(n_users, 16)), dtype=torch.float32)
        self.item_x = torch.tensor(np.tanh(style @ view[::-1]) + 0.1 * rng.normal(size=(n_items, 16)), dtype=torch.float32)
        affinity = taste @ style.T + rng.normal(scale=0.5, size=(n_users, n_items))
        liked = affinity > 1.5
        held_out = rng.random((n_users, n_items)) < 0.2
        self.test_likes = liked & held_out
        self.test_rest = ~liked & held_out
        self.never = torch.tensor(~liked & ~held_out)
        users, items = np.nonzero(liked & ~held_out)
        self.users, self.items = torch.tensor(users), torch.tensor(items)


class Tower(nn.Module):
    def __init__(self, n_in, n_out=32):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(n_in, 64), nn.ReLU(), nn.Linear(64, n_out))

    def forward(self, x):
        return self.layers(x)


class TwoTower(nn.Module):
    def __init__(self, data):
        super().__init__()
        self.data = data
        self.user_tower = Tower(data.user_x.shape[1])
        self.item_tower = Tower(data.item_x.shape[1])

    def forward(self, users, positives, negatives):
        catalogue = self.item_tower(self.data.item_x)
        u = self.user_tower(self.data.user_x[users])
        return (u * catalogue[positives]).sum(1), (u * catalogue[negatives]).sum(1)

    @torch.no_grad()
    def all_scores(self):
        return self.user_tower(self.data.user_x) @ self.item_tower(self.data.item_x).T


def mean_auc(scores, likes, rest):
    aucs = []
    for s, l, r in zip(scores.numpy(), likes, rest):
        if l.any() and r.any():
            aucs.append((s[l][:, None] > s[r][None, :]).mean())
    return float(np.mean(aucs))


class Recommender:
    def __init__(self, data, lr=3e-3):
        self.data = data
        self.model = TwoTower(data)
        self.opt = torch.optim.Adam(self.model.parameters(), lr=lr)

    def fit(self, epochs=10, batch=100):
        n = len(self.data.users)
        for epoch in range(epochs):
            self.model.train()
            total = 0.0
            for idx in torch.randperm(n).split(batch):
                users = self.data.users[idx]
                negatives = torch.multinomial(self.data.never[users].float(), 1).squeeze(1)
                pos, neg = self.model(users, self.data.items[idx], negatives)
                loss = F.softplus(neg - pos).mean()
                self.opt.zero_grad()
                loss.backward()
                self.opt.step()
                total += loss.item() * len(idx)
            print(f"epoch {epoch} bpr {total / n:.4f}")

    def evaluate(self):
        self.model.eval()
        return mean_auc(self.model.all_scores(), self.data.test_likes, self.data.test_rest)


torch.manual_seed(31)
rec = Recommender(Interactions(seed=31))
rec.fit()
print(f"held-out AUC {rec.evaluate():.4f}")
