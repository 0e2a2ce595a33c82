import string

import numpy as np
import torch
from torch import nn

LETTERS = string.ascii_lowercase
ENDINGS = {0: ["ova", "ski", "enko", "vich"], 1: ["ini", "etti", "ello", "acci"], 2: ["sson", "berg", "strom", "dahl"]}


def make_names(n, rng):
    names, origins = [], []
    for _ in range(n):
        origin = int(rng.integers(0, 3))
        stem = "".join(rng.choice(list("aeioubdgklmnprst"), rng.integers(2, 5)))
        name = stem + str(rng.choice(ENDINGS[origin]))
        if rng.random() < 0.1:
            name = name[:-1] + str(rng.choice(list(LETTERS)))
        names.append(name)
        origins.append(origin)
    return names, torch.tensor(origins)


def to_ids(names, width=9):
    ids = torch.zeros(len(names), width, dtype=torch.long)
    for row, name in enumerate(names):
        for col, letter in enumerate(reversed(name[-width:])):
            ids[row, col] = LETTERS.index(letter) + 1
    return ids


class OriginNet(nn.Module):
    def __init__(self, n_origins):
        super().__init__()
        self.embed = nn.Embedding(27, 6, padding_idx=0)
        self.output = nn.Linear(24, n_origins)

    def forward(self, ids):
        x = self.embed(ids).flatten(1)
        project = nn.Linear(9 * 6, 24)
        x = torch.relu(project(x))
        return self.output(x)


rng = np.random.default_rng(12)
torch.manual_seed(12)
names, origins = make_names(1500, rng)
ids = to_ids(names)
train_ids, test_ids = ids[:1200], ids[1200:]
train_origins, test_origins = origins[:1200], origins[1200:]

net = OriginNet(3)
optimizer = torch.optim.Adam(net.parameters(), lr=0.005)
criterion = nn.CrossEntropyLoss()
for epoch in range(6):
    running = 0.0
    for rows in torch.randperm(1200).split(40):
        optimizer.zero_grad()
        loss = criterion(net(train_ids[rows]), train_origins[rows])
        loss.backward()
        optimizer.step()
        running += loss.item() * 40
    print(f"epoch {epoch + 1}, loss {running / 1200:.6f}")

with torch.no_grad():
    share = (net(test_ids).argmax(1) == test_origins).double().mean()
print(f"result: {share:.4f}")
