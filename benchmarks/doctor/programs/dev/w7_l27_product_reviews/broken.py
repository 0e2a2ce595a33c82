# %%
import copy
import random

import torch
from torch import nn

random.seed(8)
torch.manual_seed(8)

# %%
POSITIVE = "great sturdy lovely quick perfect bright quiet handy solid fresh".split()
NEGATIVE = "broken noisy late flimsy dull awful leaky slow cheap stained".split()
NEUTRAL = [f"w{i}" for i in range(400)]


def review():
    good = random.random() < 0.5
    words = random.choices(NEUTRAL, k=random.randint(8, 20))
    for _ in range(random.randint(2, 4)):
        pool = POSITIVE if (random.random() < 0.85) == good else NEGATIVE
        words.insert(random.randrange(len(words)), random.choice(pool))
    return words, int(good)


corpus = [review() for _ in range(2400)]
train, val, test = corpus[:1200], corpus[1200:1600], corpus[1600:]

# %%
vocab = {"<unk>": 0}
for words, _ in train:
    for w in words:
        vocab.setdefault(w, len(vocab))


def pack(part):
    ids = [[vocab.get(w, 0) for w in words] for words, _ in part]
    offsets = torch.tensor([0] + [len(i) for i in ids[:-1]]).cumsum(0)
    labels = torch.tensor([float(label) for _, label in part])
    return torch.tensor([i for row in ids for i in row]), offsets, labels


# %%
class BagModel(nn.Module):
    def __init__(self, size, dim=64):
        super().__init__()
        self.bag = nn.EmbeddingBag(size, dim, mode="mean")
        self.drop = nn.Dropout(0.3)
        self.out = nn.Linear(dim, 1)

    def forward(self, ids, offsets):
        return self.out(self.drop(self.bag(ids, offsets))).squeeze(1)


model = BagModel(len(vocab))
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3, weight_decay=1e-4)
criterion = nn.BCEWithLogitsLoss()

# %%
def evaluate(part):
    model.eval()
    with torch.no_grad():
        ids, offsets, labels = pack(part)
        logits = model(ids, offsets)
    return criterion(logits, labels).item(), ((logits > 0) == (labels > 0.5)).float().mean().item()


# %%
best_loss, best_state = float("inf"), None
for epoch in range(30):
    model.train()
    random.shuffle(train)
    epoch_loss = 0.0
    for i in range(0, len(train), 24):
        ids, offsets, labels = pack(train[i:i + 24])
        loss = criterion(model(ids, offsets), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() * len(labels) / len(train)
    val_loss, val_acc = evaluate(val)
    print(f"{epoch:2d}  train {epoch_loss:.4f}  val {val_loss:.4f}  acc {val_acc:.3f}")
    if epoch_loss < best_loss:
        best_loss = epoch_loss
        best_state = copy.deepcopy(model.state_dict())

# %%
model.load_state_dict(best_state)
print(f"result: {evaluate(test)[1]:.4f}")
