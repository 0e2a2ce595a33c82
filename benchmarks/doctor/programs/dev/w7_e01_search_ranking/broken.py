import argparse

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset


class Queries(Dataset):
    """Each item is one query: its documents' features and their relevance."""

    def __init__(self, count, docs, width, rng):
        self.docs = torch.from_numpy(rng.normal(size=(count, docs, width)).astype(np.float32))
        d = self.docs
        worth = d[..., 0] * d[..., 1] + torch.tanh(2 * d[..., 2]) + 0.5 * d[..., 3]
        noise = torch.from_numpy(rng.normal(scale=0.8, size=(count, docs)).astype(np.float32))
        self.worth = worth + noise

    def __len__(self):
        return len(self.docs)

    def __getitem__(self, i):
        return self.docs[i], self.worth[i]


class Scorer(nn.Module):
    def __init__(self, width, hidden, mean, std):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.net = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
                                 nn.Linear(hidden, 1))

    def forward(self, docs):
        return self.net((docs - self.mean) / self.std).squeeze(-1)


class RankTrainer:
    def __init__(self, args):
        torch.manual_seed(args.seed)
        data = Queries(args.queries, 10, 24, np.random.default_rng(args.seed))
        order = torch.randperm(len(data)).tolist()
        cut = int(0.8 * len(order))
        self.train_part = Subset(data, order[:cut])
        self.test_part = Subset(data, order[:-cut])
        seen = data.docs[order[:cut]]
        self.net = Scorer(24, args.hidden, seen.mean((0, 1)), seen.std((0, 1)))
        self.opt = torch.optim.Adam(self.net.parameters(), lr=args.lr)
        self.args = args

    @staticmethod
    def pair_loss(scores, worth):
        gap = scores.unsqueeze(2) - scores.unsqueeze(1)
        better = (worth.unsqueeze(2) > worth.unsqueeze(1)).float()
        return (nn.functional.softplus(-gap) * better).sum() / better.sum()

    def fit(self):
        for epoch in range(self.args.epochs):
            self.net.train()
            total = 0.0
            for docs, worth in DataLoader(self.train_part, batch_size=32, shuffle=True):
                loss = self.pair_loss(self.net(docs), worth)
                self.opt.zero_grad()
                loss.backward()
                self.opt.step()
                total += loss.item() * len(docs)
            print(f"epoch {epoch}: pair loss {total / len(self.train_part):.4f}")

    def test(self):
        self.net.eval()
        right, pairs = 0, 0
        with torch.no_grad():
            for docs, worth in DataLoader(self.test_part, batch_size=64):
                scores = self.net(docs)
                better = worth.unsqueeze(2) > worth.unsqueeze(1)
                right += (better & (scores.unsqueeze(2) > scores.unsqueeze(1))).sum().item()
                pairs += better.sum().item()
        return right / pairs


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--queries", type=int, default=900)
    parser.add_argument("--hidden", type=int, default=96)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=17)
    trainer = RankTrainer(parser.parse_args())
    trainer.fit()
    print(f"result: {trainer.test():.4f}")
