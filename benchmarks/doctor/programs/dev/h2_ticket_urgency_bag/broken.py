import random

import torch
from torch import nn


class TicketData:
    """Support tickets as word numbers of equal length; urgent ones use words of the urgent list more often."""

    def __init__(self, tickets, seed, words=300, length=20):
        chance = random.Random(seed)
        self.ids, self.urgent = [], []
        for _ in range(tickets):
            is_urgent = chance.random() < 0.5
            weight = 0.3 if is_urgent else 0.12
            ids = [chance.randrange(40) if chance.random() < weight else chance.randrange(40, words) for _ in range(length)]
            self.ids.append(ids)
            self.urgent.append(float(is_urgent))
        self.ids, self.urgent = torch.tensor(self.ids), torch.tensor(self.urgent)

    def batches(self, size, mixed):
        rows = torch.randperm(len(self.ids)) if mixed else torch.arange(len(self.ids))
        for part in rows.split(size):
            yield self.ids[part], self.urgent[part]


class UrgencyModel(nn.Module):
    def __init__(self, words=300, dim=32):
        super().__init__()
        self.bag = nn.EmbeddingBag(words, dim, mode="mean")
        self.hidden = nn.Linear(dim, 32)
        self.score = nn.Linear(32, 1)

    def forward(self, ids):
        h = torch.relu(self.hidden(self.bag(ids)))
        return self.score(h).squeeze()


class Desk:
    def __init__(self):
        self.model = UrgencyModel()
        self.loss_fn = nn.BCEWithLogitsLoss()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=3e-3)

    def train(self, data, epochs):
        for epoch in range(epochs):
            self.model.train()
            total = 0.0
            for batch_x, batch_y in data.batches(32, mixed=True):
                self.optimizer.zero_grad()
                logits = self.model(batch_x)
                loss = self.loss_fn(logits, batch_y)
                loss.backward()
                self.optimizer.step()
                total += loss.item() * batch_y.numel()
            print(f"epoch {epoch}: {total / len(data.urgent):.6f}")

    def accuracy(self, data):
        self.model.eval()
        with torch.no_grad():
            hits = [((self.model(x) > 0).float() == y).sum().item() for x, y in data.batches(100, mixed=False)]
        return sum(hits) / len(data.urgent)


torch.manual_seed(13)
desk = Desk()
desk.train(TicketData(2401, seed=1), epochs=8)
print(f"result: {desk.accuracy(TicketData(600, seed=2)):.4f}")
