import copy
import random

import torch
from torch import nn


class Sentiment(nn.Module):
    def __init__(self, words, dim=12):
        super().__init__()
        self.table = nn.Embedding(words, dim)
        self.score = nn.Linear(dim, 3)

    def forward(self, ids):
        return self.score(torch.tanh(self.table(ids)).sum(dim=1))


class Project:
    def __init__(self, seed):
        random.seed(seed)
        torch.manual_seed(seed)
        self.topics = [list(range(k * 15, k * 15 + 25)) for k in range(3)]
        self.model = Sentiment(words=55)

    def texts(self, n):
        topic = [random.randrange(3) for _ in range(n)]
        ids = [[random.choice(self.topics[k]) for _ in range(9)] for k in topic]
        return torch.tensor(ids), torch.tensor(topic)

    def train(self, ids, topic, epochs=4, batch=32):
        model = copy.deepcopy(self.model)
        optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
        for epoch in range(epochs):
            model.train()
            running = []
            for rows in torch.randperm(len(ids)).split(batch):
                loss = nn.functional.cross_entropy(model(ids[rows]), topic[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                running.append(loss.item())
            print(f"epoch {epoch}: {sum(running) / len(running):.6f}")

    def test(self, ids, topic):
        self.model.eval()
        with torch.no_grad():
            return (self.model(ids).argmax(1) == topic).float().mean().item()


project = Project(seed=6)
project.train(*project.texts(1600))
print(f"result: {project.test(*project.texts(400)):.4f}")
