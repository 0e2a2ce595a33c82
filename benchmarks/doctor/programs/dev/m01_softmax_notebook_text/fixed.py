# %%
import random
import torch
from torch import nn

random.seed(5)
torch.manual_seed(5)

# %%
topics = {
    "sport": "goal match team score coach league ball win player season".split(),
    "food": "bake salt oven taste sauce bread spice cook butter plate".split(),
    "space": "orbit moon rocket star planet launch crew comet probe dust".split(),
}
common = "the a we they it was and then very today again about with from".split()
names = list(topics)


def sentence(topic):
    own = random.choices(topics[topic], k=random.randint(1, 3))
    other = random.choices(topics[random.choice(names)], k=1)
    words = own + other + random.choices(common, k=6)
    random.shuffle(words)
    return words


samples = []
for _ in range(1200):
    topic = random.choice(names)
    samples.append((sentence(topic), names.index(topic)))

# %%
vocabulary = {w: i for i, w in enumerate(sorted(set(common).union(*topics.values())))}


def encode(words):
    counts = torch.zeros(len(vocabulary))
    for w in words:
        counts[vocabulary[w]] += 1
    return counts


X = torch.stack([encode(words) for words, _ in samples])
y = torch.tensor([label for _, label in samples])
X_train, y_train, X_test, y_test = X[:900], y[:900], X[900:], y[900:]
X_train.shape, X_test.shape

# %%
classifier = nn.Sequential(
    nn.Linear(len(vocabulary), 32),
    nn.ReLU(),
    nn.Dropout(0.3),
    nn.Linear(32, len(names)),
)
optimizer = torch.optim.Adam(classifier.parameters(), lr=3e-3)

# %%
for epoch in range(8):
    classifier.train()
    order = torch.randperm(len(X_train))
    total = 0.0
    for start in range(0, len(order), 30):
        idx = order[start:start + 30]
        optimizer.zero_grad()
        scores = classifier(X_train[idx])
        loss = nn.functional.cross_entropy(scores, y_train[idx])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(idx)
    print(epoch, f"{total / len(order):.6f}")

# %%
classifier.eval()
with torch.no_grad():
    guesses = classifier(X_test).argmax(dim=1)
result = (guesses == y_test).float().mean().item()
print(f"result: {result:.4f}")
