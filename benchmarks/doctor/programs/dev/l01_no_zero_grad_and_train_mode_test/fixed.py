import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

rng = np.random.default_rng(5)
torch.manual_seed(5)


def table(n, w):
    X = rng.normal(size=(n, 12)).astype("float32")
    score = X @ w + 1.5 * X[:, 0] * X[:, 1]
    return torch.from_numpy(X), torch.from_numpy((score > 0).astype("float32"))


weights = rng.normal(size=12).astype("float32")
Xtr, ytr = table(1500, weights)
Xte, yte = table(500, weights)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(12, 40)
        self.fc2 = nn.Linear(40, 1)
        self.drop = nn.Dropout(0.3)

    def forward(self, x):
        return self.fc2(self.drop(F.relu(self.fc1(x)))).squeeze(1)


model = Net()
optimizer = torch.optim.AdamW(model.parameters(), lr=0.002)


def train(epoch):
    model.train()
    perm = torch.randperm(len(Xtr))
    total = 0
    for idx in perm.split(30):
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(model(Xtr[idx]), ytr[idx])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(idx)
    print("Epoch", epoch, "loss", f"{total / len(Xtr):.6f}")


def test():
    model.eval()
    with torch.no_grad():
        logits = model(Xte)
    return ((logits > 0).float() == yte).float().mean().item()


for epoch in range(1, 7):
    train(epoch)
print(f"result: {test():.4f}")
