"""Learning to rank: which of two offers does the shopper prefer? (RankNet-like, margin loss)"""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(64)

OFFER, SHOPPER = 7, 4
interest = torch.randn(SHOPPER, OFFER)


def true_worth(shopper, offer):
    return ((shopper @ interest) * offer).sum(1) + 0.8 * torch.sin(2 * offer[:, 0])


def preferences(n):
    shopper = torch.randn(n, SHOPPER)
    one, two = torch.randn(n, OFFER), torch.randn(n, OFFER)
    gap = true_worth(shopper, one) - true_worth(shopper, two) + 0.8 * torch.randn(n)
    prefer = torch.where(gap > 0, 1.0, -1.0)
    return TensorDataset(shopper, one, two, prefer)


class Scorer(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(SHOPPER + OFFER, hidden), nn.ReLU(),
            nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Linear(hidden, 1),
        )

    def forward(self, shopper, offer):
        return self.body(torch.cat([shopper, offer], dim=1)).squeeze(1)


train_set, test_set = preferences(3000), preferences(800)
train_loader = DataLoader(train_set, batch_size=64, shuffle=True)
test_loader = DataLoader(test_set, batch_size=200)

scorer = Scorer()
optimizer = torch.optim.Adam(scorer.parameters(), lr=2e-3)
margin_loss = nn.MarginRankingLoss(margin=1.0)

for epoch in range(10):
    scorer.train()
    running = 0.0
    for shopper, one, two, prefer in train_loader:
        optimizer.zero_grad()
        loss = margin_loss(scorer(shopper, one), scorer(shopper, two), prefer)
        loss.backward()
        optimizer.step()
        running += loss.item() * len(prefer)
    print(f"epoch {epoch:2d} margin loss {running / len(train_set):.4f}")

scorer.eval()
right = total = 0
with torch.no_grad():
    for shopper, one, two, prefer in test_loader:
        gap = scorer(shopper, one) - scorer(shopper, two)
        right += (gap * prefer > 0).sum().item()
        total += len(prefer)
print(f"pairs ordered rightly (test): {right / total:.4f}")
