# Two photos of one parking place, one minute apart: car came, car left, nothing happened?
import argparse

import numpy as np
import torch
import torch.nn.functional as F

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=8)
parser.add_argument("--lr", type=float, default=0.02)
parser.add_argument("--seed", type=int, default=9)
args = parser.parse_args([])

torch.manual_seed(args.seed)
rng = np.random.default_rng(args.seed)


def photo_pair(event):
    ground = rng.normal(105, 18, (18, 18))
    before, after = ground.copy(), ground.copy()
    y, x = rng.integers(2, 8, 2)
    shape = (slice(y, y + 8), slice(x, x + 6))
    paint = rng.choice([-1, 1]) * rng.uniform(14, 34)
    window = (slice(y + 2, y + 4), slice(x + 1, x + 5))
    for picture, has_car in ((before, event == 2), (after, event == 1)):
        if has_car:
            picture[shape] += paint
            picture[window] -= 30
        picture += rng.normal(0, 9, picture.shape)
        picture += rng.normal(0, 5)
    return np.stack([before, after]).clip(0, 255).astype(np.uint8)


events = rng.integers(0, 3, 2100)
photos = np.stack([photo_pair(e) for e in events])

change = photos[:, 1] - photos[:, 0]
change = torch.tensor(change, dtype=torch.float32)[:, None]
events = torch.tensor(events)

n_train = 1600
mean, std = change[:n_train].mean(), change[:n_train].std()
change = (change - mean) / std
train_x, train_y = change[:n_train], events[:n_train]
test_x, test_y = change[n_train:], events[n_train:]

model = torch.nn.Sequential(
    torch.nn.Conv2d(1, 12, 5, padding=2),
    torch.nn.ReLU(),
    torch.nn.MaxPool2d(2),
    torch.nn.Conv2d(12, 24, 3, padding=1),
    torch.nn.ReLU(),
    torch.nn.MaxPool2d(2),
    torch.nn.Flatten(),
    torch.nn.Linear(24 * 16, 3),
)
optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=0.9, nesterov=True)

for epoch in range(args.epochs):
    model.train()
    perm = torch.randperm(n_train)
    epoch_loss = 0.0
    for i in range(0, n_train, 40):
        pick = perm[i:i + 40]
        loss = F.cross_entropy(model(train_x[pick]), train_y[pick])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() * len(pick)
    print("epoch %d  loss %.4f" % (epoch, epoch_loss / n_train))

model.eval()
with torch.no_grad():
    answer = model(test_x).argmax(dim=1)
print("events seen rightly: %.3f" % (answer == test_y).float().mean().item())
