# %% customs wants to know the kind of cargo from the words of the manifest
import random

import torch
from torch import nn

rnd = random.Random(111)
torch.manual_seed(111)

KINDS = {
    "food": "rice flour oil cocoa sugar fish tea beans tins".split(),
    "metal": "coil rod ingot ore plate scrap copper zinc pipe".split(),
    "cloth": "wool roll silk yarn dye cotton shirts lace felt".split(),
    "tools": "drill saw pump valve motor belt gear lathe pipe".split(),
}
SHARED = "box crate pallet tons gross net port of bags the kg mixed lot new bulk seal".split()

# %%
def manifest():
    kind = rnd.randrange(len(KINDS))
    own = list(KINDS.values())[kind]
    other = rnd.choice(list(KINDS.values()))
    words = rnd.choices(SHARED, k=rnd.randint(4, 9)) + rnd.choices(own, k=2) + rnd.choices(other, k=1)
    rnd.shuffle(words)
    return words, kind


manifests = [manifest() for _ in range(2000)]
index = {w: i for i, w in enumerate(sorted({w for ws in KINDS.values() for w in ws} | set(SHARED)))}

# %%
bags = torch.zeros(len(manifests), len(index))
for row, (words, _) in zip(bags, manifests):
    where = torch.tensor([index[w] for w in words])
    row.index_add_(0, where, torch.ones(len(where)))
kinds = torch.tensor([k for _, k in manifests])
print("bags of words:", tuple(bags.shape))

# %%
classifier = nn.Sequential(nn.Linear(len(index), 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, len(KINDS)))
opt = torch.optim.Adagrad(classifier.parameters(), lr=0.05)
cross_entropy = nn.CrossEntropyLoss()

# %%
for epoch in range(10):
    classifier.train()
    total = 0.0
    for idx in torch.randperm(1500).split(50):
        loss = cross_entropy(classifier(bags[idx]), kinds[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() * len(idx)
    print(f"epoch {epoch}: {total / 1500:.4f}")

# %%
classifier.eval()
with torch.no_grad():
    guess = classifier(bags[1500:]).argmax(dim=1)
print(f"manifests sorted rightly: {(guess == kinds[1500:]).float().mean().item():.3f}")
