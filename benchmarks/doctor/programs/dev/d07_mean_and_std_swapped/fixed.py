import random

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

random.seed(4)
torch.manual_seed(4)

# thin strokes on a 20 x 20 page
STROKES = [
    [(0, 0, 1, 0)],
    [(0, 0, 0, 1)],
    [(0, 0, 1, 1)],
    [(0, 0, 1, 0), (0, 0, 0, 1)],
    [(0, 0, 1, 1), (1, 0, 0, 1)],
]


def page(kind):
    image = torch.zeros(1, 20, 20)
    top, left, size = random.randint(1, 6), random.randint(1, 6), random.randint(8, 12)
    for y0, x0, y1, x1 in STROKES[kind]:
        for step in range(size):
            share = step / size
            image[0, top + round((y0 + (y1 - y0) * share) * size), left + round((x0 + (x1 - x0) * share) * size)] = 1.0
    return (image + 0.03 * torch.rand_like(image)).clamp(0, 1)


def pages(n):
    kinds = [random.randrange(5) for _ in range(n)]
    return torch.stack([page(k) for k in kinds]), torch.tensor(kinds)


train_x, train_y = pages(1200)
test_x, test_y = pages(300)

mean, std = train_x.mean(), train_x.std()
train_x = (train_x - mean) / std
test_x = (test_x - mean) / std

train_dl = DataLoader(TensorDataset(train_x, train_y), batch_size=64, shuffle=True)
test_dl = DataLoader(TensorDataset(test_x, test_y), batch_size=100)

model = nn.Sequential(nn.Flatten(), nn.Linear(400, 64), nn.ReLU(), nn.Linear(64, 5))
opt = torch.optim.SGD(model.parameters(), lr=0.05)

for epoch in range(8):
    losses = 0.0
    for x, y in train_dl:
        opt.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
        losses += loss.item() * len(x)
    print(f"epoch {epoch}, loss {losses / 1200:.6f}")

correct = 0
model.eval()
with torch.no_grad():
    for x, y in test_dl:
        correct += int((model(x).argmax(dim=1) == y).sum())
print(f"result: {correct / len(test_y):.4f}")
