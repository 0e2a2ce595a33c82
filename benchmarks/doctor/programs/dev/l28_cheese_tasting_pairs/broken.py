# learn a cheese score from "A was liked better than B" cards
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(28)
rng = np.random.default_rng(28)

N_CHEESES, N_FEATURES = 400, 7
traits = rng.normal(size=(N_CHEESES, N_FEATURES)).astype("float32")
appeal = np.tanh(traits[:, 0] * traits[:, 1]) + 0.8 * traits[:, 2] - 0.5 * traits[:, 3] ** 2 + 0.4 * traits[:, 4]
traits = torch.from_numpy(traits)


def cards(low, high, n):
    pair = rng.integers(low, high, size=(n + 300, 2))
    pair = pair[pair[:, 0] != pair[:, 1]][:n]
    noise = rng.logistic(0, 0.15, size=len(pair))
    first = appeal[pair[:, 0]] - appeal[pair[:, 1]] + noise > 0
    pair[~first] = pair[~first][:, ::-1]  # winner stands left
    return torch.from_numpy(pair)


train_cards = cards(0, 300, 3840)
test_cards = cards(300, N_CHEESES, 1000)  # cheeses never tasted before

scorer = nn.Sequential(nn.Linear(N_FEATURES, 48), nn.GELU(), nn.Linear(48, 48), nn.GELU(), nn.Linear(48, 1))
ranking = nn.MarginRankingLoss(margin=0.5)
opt = torch.optim.SGD(scorer.parameters(), lr=0.05, momentum=0.8)

loader = DataLoader(TensorDataset(train_cards[:, 0], train_cards[:, 1]), batch_size=64, shuffle=True)

history = []
tastings = ((traits[win], traits[lose]) for win, lose in loader)
for epoch in range(18):
    scorer.train()
    for better, worse in tastings:
        s_better, s_worse = scorer(better).squeeze(1), scorer(worse).squeeze(1)
        loss = ranking(s_better, s_worse, torch.ones_like(s_better))
        opt.zero_grad()
        loss.backward()
        opt.step()
        history.append(loss.item())
    if (epoch + 1) % 6 == 0:
        print(f"after epoch {epoch + 1}: margin loss {np.mean(history[-len(loader):]):.4f}")

scorer.eval()
with torch.no_grad():
    score = scorer(traits).squeeze(1)
right = (score[test_cards[:, 0]] > score[test_cards[:, 1]]).float().mean()
print(f"cards ordered rightly: {right:.3f}")
