import torch
from torch import nn
import torch.nn.functional as F


class Queries:
    """Search queries with ten candidate documents each and graded relevance."""

    def __init__(self, n, weights, gen):
        docs = torch.randn(n, 10, len(weights), generator=gen)
        value = docs @ weights + 0.8 * torch.tanh(2 * docs[..., 0] * docs[..., 1])
        value = value + 0.2 * torch.randn(n, 10, generator=gen)
        self.docs = docs
        self.grade = (value > -0.5).float() + (value > 0.7).float() + (value > 1.8).float()

    def __len__(self):
        return len(self.docs)


class Scorer(nn.Module):
    def __init__(self, features, width=64):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(features, width), nn.ReLU(),
            nn.Linear(width, width), nn.ReLU(),
            nn.Linear(width, 1))

    def forward(self, docs):
        return self.net(docs).squeeze(-1)


def pairwise_loss(score, grade):
    better = grade[:, :, None] > grade[:, None, :]
    gap = score[:, :, None] - score[:, None, :]
    return F.softplus(-gap[better]).mean()


def ndcg(score, grade):
    discount = 1.0 / torch.log2(torch.arange(score.shape[1]) + 2.0)
    gain = 2.0 ** grade - 1
    got = (gain.gather(1, score.argsort(1, descending=True)) * discount).sum(1)
    ideal = (gain.sort(1, descending=True).values * discount).sum(1)
    keep = ideal > 0
    return (got[keep] / ideal[keep]).mean().item()


class RankingTrainer:
    def __init__(self, features=12, epochs=4, batch=16, seed=23):
        self.features, self.epochs, self.batch = features, epochs, batch
        torch.manual_seed(seed)
        gen = torch.Generator().manual_seed(seed)
        weights = 0.35 * torch.randn(features, generator=gen)
        self.train_set = Queries(4000, weights, gen)
        self.test_set = Queries(500, weights, gen)

    def configure(self):
        self.scorer = Scorer(self.features)
        self.optimizer = torch.optim.Adam(self.scorer.parameters(), lr=2e-3)

    def batches(self):
        for rows in torch.randperm(len(self.train_set)).split(self.batch):
            yield self.train_set.docs[rows], self.train_set.grade[rows]

    def fit(self):
        for epoch in range(self.epochs):
            self.configure()
            self.scorer.train()
            losses = []
            for docs, grade in self.batches():
                loss = pairwise_loss(self.scorer(docs), grade)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                losses.append(loss.item())
            print(f"epoch {epoch}: loss {sum(losses) / len(losses):.4f}")
        return self

    @torch.no_grad()
    def evaluate(self):
        self.scorer.eval()
        return ndcg(self.scorer(self.test_set.docs), self.test_set.grade)


print(f"result: {RankingTrainer().fit().evaluate():.4f}")
