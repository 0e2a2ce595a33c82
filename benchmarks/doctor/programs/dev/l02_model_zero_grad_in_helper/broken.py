# %%
import random

import torch
import torch.nn as nn
import torch.nn.functional as F

random.seed(1)
torch.manual_seed(1)

# %%
GOOD = "great lovely warm brilliant happy superb funny".split()
BAD = "dull awful cold boring sad broken noisy".split()
FILLER = "the a film was it and very story with of in music scene actor ending one some plot".split()


def review():
    label = random.randint(0, 1)
    words = random.choices(FILLER, k=9) + random.choices(GOOD if label else BAD, k=2)
    words += random.choices(GOOD + BAD, k=1)
    random.shuffle(words)
    return words, label


data = [review() for _ in range(1800)]
vocab = {word: i for i, word in enumerate(sorted(set(GOOD + BAD + FILLER)))}
tokens = torch.tensor([[vocab[w] for w in words] for words, _ in data])
labels = torch.tensor([label for _, label in data])
train_tokens, test_tokens = tokens[:1400], tokens[1400:]
train_labels, test_labels = labels[:1400], labels[1400:]

# %%
class BagOfWords(nn.Module):
    def __init__(self, size, dim=16):
        super().__init__()
        self.embed = nn.EmbeddingBag(size, dim, mode="mean")
        self.out = nn.Linear(dim, 2)

    def forward(self, ids):
        return self.out(self.embed(ids))


model = BagOfWords(len(vocab))
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)

# %%
def update(loss):
    loss.backward()
    model.zero_grad()
    optimizer.step()


for epoch in range(5):
    history = []
    for chunk in torch.randperm(1400).split(70):
        loss = F.cross_entropy(model(train_tokens[chunk]), train_labels[chunk])
        update(loss)
        history.append(loss.item())
    print(epoch, f"{sum(history) / len(history):.6f}")

# %%
model.eval()
with torch.no_grad():
    predicted = model(test_tokens).argmax(-1)
print(f"result: {(predicted == test_labels).float().mean():.4f}")
