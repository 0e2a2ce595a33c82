# Learning to rank: order the offers of one search query by how well they fit.
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(5)
rng = np.random.default_rng(5)

N_QUERIES, N_OFFERS, N_FEATURES = 260, 8, 10
TASTE = rng.normal(size=N_FEATURES)


def make_queries(n):
    offers = rng.normal(size=(n, N_OFFERS, N_FEATURES))
    utility = offers @ TASTE + 0.8 * np.abs(offers[..., 0] * offers[..., 1])
    utility += rng.normal(0, 0.2, utility.shape)
    return torch.tensor(offers, dtype=torch.float32), torch.tensor(utility, dtype=torch.float32)


train_offers, train_utility = make_queries(N_QUERIES)
test_offers, test_utility = make_queries(120)

scorer = nn.Sequential(nn.Linear(N_FEATURES, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(scorer.parameters(), lr=5e-3)


def pair_term(scores, utility):
    """Hinge loss over all ordered pairs of one query."""
    better = utility[:, None] > utility[None, :]
    margin = scores[:, None] - scores[None, :]
    return F.relu(1.0 - margin[better]).mean()


for step in range(120):
    queries = torch.randint(0, N_QUERIES, (10,))
    scores = scorer(train_offers[queries]).squeeze(-1)
    terms = [pair_term(s, u) for s, u in zip(scores, train_utility[queries])]
    loss = torch.stack(terms).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        print(f"step {step:3d}  hinge {loss.item():.4f}")

with torch.no_grad():
    scores = scorer(test_offers).squeeze(-1)
    wanted = test_utility[:, :, None] > test_utility[:, None, :]
    got = scores[:, :, None] > scores[:, None, :]
    ordered = (wanted & got).sum().item() / wanted.sum().item()
print(f"result: {ordered:.4f}")
