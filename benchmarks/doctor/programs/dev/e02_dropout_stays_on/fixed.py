import random

import torch
from torch import nn

random.seed(23)
torch.manual_seed(23)

# sentences about weather: good or bad
good = ["sunny", "warm", "bright", "clear", "calm", "mild"]
bad = ["storm", "rain", "cold", "hail", "grey", "fog"]
other = ["today", "morning", "evening", "wind", "sky", "coast", "north", "again", "later", "cloud", "hour", "lake", "hill", "report"]
vocab = {word: i for i, word in enumerate(good + bad + other)}


def sentence():
    label = random.randint(0, 1)
    words = random.choices(other, k=9) + random.choices([bad, good][label], k=3) + random.choices([good, bad][label], k=2)
    random.shuffle(words)
    return [vocab[w] for w in words], label


pairs = [sentence() for _ in range(1800)]
ids = torch.tensor([p[0] for p in pairs])
labels = torch.tensor([p[1] for p in pairs])
train_ids, test_ids = ids[:1400], ids[1400:]
train_labels, test_labels = labels[:1400], labels[1400:]


class MeanEmbedding(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(len(vocab), 24)
        self.drop = nn.Dropout(0.2)
        self.hidden = nn.Linear(24, 24)
        self.out = nn.Linear(24, 2)

    def forward(self, words):
        x = self.embed(words).mean(dim=1)
        x = torch.relu(self.hidden(self.drop(x)))
        return self.out(self.drop(x))


model = MeanEmbedding()
opt = torch.optim.Adam(model.parameters(), lr=0.01)
criterion = nn.CrossEntropyLoss()

model.train()
for epoch in range(6):
    summed = 0.0
    for rows in torch.randperm(1400).split(35):
        opt.zero_grad()
        loss = criterion(model(train_ids[rows]), train_labels[rows])
        loss.backward()
        opt.step()
        summed += loss.item()
    print("epoch", epoch, "loss", f"{summed / 40:.6f}")

model.eval()
correct = 0
with torch.no_grad():
    for chunk, truth in zip(test_ids.split(50), test_labels.split(50)):
        correct += (model(chunk).argmax(1) == truth).sum().item()
print(f"result: {correct / 400:.4f}")
