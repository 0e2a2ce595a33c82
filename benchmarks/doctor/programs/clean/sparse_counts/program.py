import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

rng = np.random.default_rng(112)
torch.manual_seed(112)
words, topics, documents = 150, 4, 1500
base = rng.dirichlet(np.full(words, 0.3))
special = rng.dirichlet(np.full(words, 0.05), size=topics)
label = rng.integers(0, topics, documents)
counts = np.stack([rng.multinomial(rng.integers(8, 30), 0.65 * base + 0.35 * special[k]) for k in label])
x, y = torch.tensor(counts, dtype=torch.float32), torch.tensor(label)
train = DataLoader(TensorDataset(x[:1200], y[:1200]), batch_size=30, shuffle=True)

model = nn.Sequential(nn.Linear(words, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, topics))
optimizer = torch.optim.Adagrad(model.parameters(), lr=0.02)
loss_function = nn.CrossEntropyLoss()
for epoch in range(5):
    total = 0.0
    for documents_, topics_ in train:
        optimizer.zero_grad()
        loss = loss_function(model(documents_), topics_)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print("epoch", epoch, f"{total / len(train):.6f}")
with torch.no_grad():
    guess = model(x[1200:]).argmax(1)
print(f"result: {(guess == y[1200:]).float().mean().item():.4f}")
