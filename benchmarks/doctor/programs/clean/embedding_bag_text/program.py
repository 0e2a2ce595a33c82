import random

import torch
from torch import nn
from torch.utils.data import DataLoader

TOPICS = {
    "sport": "ball goal team coach match race win score run league".split(),
    "food": "bread soup salt oven cook taste apple rice spoon sugar".split(),
    "sky": "star moon cloud sun planet orbit comet light night rain".split(),
}
COMMON = "the a is was on in it and they we had then very".split()
VOCAB = {w: i for i, w in enumerate(sorted(COMMON + sum(TOPICS.values(), [])))}


def sentence(rnd):
    topic = rnd.randrange(3)
    pool = list(TOPICS.values())
    words = [rnd.choice(pool[topic] if rnd.random() < 0.35 else pool[rnd.randrange(3)] if rnd.random() < 0.15 else COMMON)
             for _ in range(rnd.randrange(6, 14))]
    return words, topic


def collate(batch):
    ids, starts, labels = [], [], []
    for words, label in batch:
        starts.append(len(ids))
        ids += [VOCAB[w] for w in words]
        labels.append(label)
    return torch.tensor(ids), torch.tensor(starts), torch.tensor(labels)


class TextClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.EmbeddingBag(len(VOCAB), 16, mode="mean")
        self.fc = nn.Linear(16, 3)

    def forward(self, ids, starts):
        return self.fc(self.embedding(ids, starts))


rnd = random.Random(5)
torch.manual_seed(5)
train = DataLoader([sentence(rnd) for _ in range(1500)], batch_size=30, shuffle=True, collate_fn=collate)
test = DataLoader([sentence(rnd) for _ in range(400)], batch_size=80, collate_fn=collate)
model = TextClassifier()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
for epoch in range(5):
    total = 0.0
    for ids, starts, labels in train:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(ids, starts), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    print(f"epoch {epoch} loss {total / 1500:.6f}")
hits = 0
with torch.no_grad():
    for ids, starts, labels in test:
        hits += (model(ids, starts).argmax(1) == labels).sum().item()
print(f"result: {hits / 400:.4f}")
