import numpy as np
import torch
import torch.nn as nn

rng = np.random.default_rng(4)
torch.manual_seed(4)
strokes = {0: [(1, 1, 6, 1), (1, 6, 6, 6), (1, 1, 1, 6), (6, 1, 6, 6)], 1: [(1, 4, 6, 4)], 2: [(1, 1, 1, 6), (6, 1, 6, 6), (6, 1, 1, 6)],
           3: [(1, 1, 1, 6), (3, 1, 3, 6), (6, 1, 6, 6)], 4: [(1, 1, 4, 1), (4, 1, 4, 6), (1, 6, 6, 6)]}


def draw(label):
    fine = np.zeros((32, 32))
    dy, dx = rng.integers(-2, 3, 2)
    for y0, x0, y1, x1 in strokes[label]:
        for s in np.linspace(0, 1, 60):
            a = int(np.clip((y0 + s * (y1 - y0)) * 4 + dy + rng.normal(0, 0.7), 0, 30))
            b = int(np.clip((x0 + s * (x1 - x0)) * 4 + dx + rng.normal(0, 0.7), 0, 30))
            fine[a:a + 2, b:b + 2] = 1
    return fine.reshape(8, 4, 8, 4).sum(axis=(1, 3))


labels = rng.integers(0, 5, 700)
pictures = np.stack([draw(k) for k in labels])
X = torch.tensor(pictures, dtype=torch.float32).reshape(700, 64)
y = torch.tensor(labels)
X_train, X_test, y_train, y_test = X[:560], X[560:], y[:560], y[560:]

clf = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 5))
optimizer = torch.optim.Adam(clf.parameters(), lr=0.001)
for epoch in range(8):
    epoch_loss = 0
    for rows in torch.randperm(560).split(28):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(clf(X_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() / 20
    print(f"epoch {epoch + 1}: {epoch_loss:.6f}")
with torch.no_grad():
    print(f"result: {(clf(X_test).argmax(1) == y_test).float().mean().item():.4f}")
