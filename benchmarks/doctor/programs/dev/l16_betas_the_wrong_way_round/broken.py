"""Bayesian personalised ranking on made-up listening histories."""
import numpy as np
import torch
import torch.nn.functional as F

CONFIG = {
    "users": 200,
    "songs": 150,
    "dim": 12,
    "steps": 300,
    "batch": 256,
    "optim": {"lr": 0.01, "betas": (0.999, 0.9)},
    "seed": 31,
}


def histories(cfg, rng):
    taste = rng.normal(size=(cfg["users"], 5))
    style = rng.normal(size=(cfg["songs"], 5))
    fame = rng.normal(0, 0.5, cfg["songs"])
    score = taste @ style.T + fame + rng.gumbel(0, 0.7, (cfg["users"], cfg["songs"]))
    liked = np.argsort(-score, axis=1)[:, :24]
    liked = rng.permuted(liked, axis=1)
    return liked[:, :18], liked[:, 18:]


class Ranker(torch.nn.Module):
    def __init__(self, users, songs, dim):
        super().__init__()
        self.user = torch.nn.Embedding(users, dim)
        self.song = torch.nn.Embedding(songs, dim)
        self.bias = torch.nn.Embedding(songs, 1)
        torch.nn.init.normal_(self.user.weight, std=0.1)
        torch.nn.init.normal_(self.song.weight, std=0.1)
        torch.nn.init.zeros_(self.bias.weight)

    def forward(self, u, s):
        return (self.user(u) * self.song(s)).sum(-1) + self.bias(s).squeeze(-1)


def sample(heard, unheard_mask, batch, rng):
    u = rng.integers(0, len(heard), batch)
    pos = heard[u, rng.integers(0, heard.shape[1], batch)]
    neg = rng.integers(0, unheard_mask.shape[1], batch)
    keep = unheard_mask[u, neg]
    return [torch.from_numpy(a[keep]) for a in (u, pos, neg)]


def pairwise_auc(model, held, known_mask, cfg):
    """How often a held-back song is ranked above a song never heard."""
    with torch.no_grad():
        u = torch.arange(cfg["users"])[:, None].expand(-1, cfg["songs"])
        s = torch.arange(cfg["songs"])[None, :].expand(cfg["users"], -1)
        table = model(u, s).numpy()
    wins = []
    for user in range(cfg["users"]):
        others = np.setdiff1d(np.flatnonzero(known_mask[user]), held[user])
        wins.append((table[user, held[user]][:, None] > table[user, others][None, :]).mean())
    return float(np.mean(wins))


def main(cfg):
    rng = np.random.default_rng(cfg["seed"])
    torch.manual_seed(cfg["seed"])
    heard, held = histories(cfg, rng)
    mask = np.ones((cfg["users"], cfg["songs"]), dtype=bool)
    np.put_along_axis(mask, heard, False, axis=1)

    model = Ranker(cfg["users"], cfg["songs"], cfg["dim"])
    optimizer = torch.optim.Adam(model.parameters(), **cfg["optim"])
    for step in range(1, cfg["steps"] + 1):
        u, pos, neg = sample(heard, mask, cfg["batch"], rng)
        loss = -F.logsigmoid(model(u, pos) - model(u, neg)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            print(f"step {step}: bpr loss {loss.item():.4f}")
    print(f"result: {pairwise_auc(model, held, mask, cfg):.4f}")


if __name__ == "__main__":
    main(CONFIG)
