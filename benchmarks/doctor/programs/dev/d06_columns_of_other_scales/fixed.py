import numpy as np, torch
import torch.nn as nn
np.random.seed(1); torch.manual_seed(1)
y = np.random.randint(0, 2, 1400)
X = np.random.randn(1400, 5) * [1, 10, 100, 3, 30] + np.outer(y, [2, 15, 150, 5, 20])
X_train, X_test, y_train, y_test = X[:1000], X[1000:], y[:1000], y[1000:]
mean, std = X_train.mean(axis=0), X_train.std(axis=0)
X_train = (X_train - mean) / std
X_test = (X_test - mean) / std
X_train, X_test = torch.FloatTensor(X_train), torch.FloatTensor(X_test)
y_train, y_test = torch.LongTensor(y_train), torch.LongTensor(y_test)
clf = nn.Sequential(nn.Linear(5, 20), nn.ReLU(), nn.Linear(20, 2))
opt = torch.optim.Adam(clf.parameters(), lr=0.01)
for epoch in range(80):
    clf.train()
    opt.zero_grad()
    loss = nn.CrossEntropyLoss()(clf(X_train), y_train)
    loss.backward()
    opt.step()
clf.eval()
with torch.no_grad():
    metric = (clf(X_test).argmax(1) == y_test).float().mean().item()
print(f"result: {metric:.4f}")
