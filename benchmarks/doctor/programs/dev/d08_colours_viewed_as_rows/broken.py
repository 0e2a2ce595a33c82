# %%
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

rng = np.random.default_rng(64)
torch.manual_seed(64)

# %%
# traffic lights seen by a camera: which lamp is on, and where is the pole?
COLOURS = np.array([[220, 40, 30], [230, 180, 40], [40, 200, 90]])


def photos(n, side=20):
    lamp = rng.integers(0, 3, n)
    lean = rng.integers(0, 2, n)
    img = np.full((n, side, side, 3), 90.0) + rng.normal(0, 12, (n, 1, 1, 3))
    yy, xx = np.mgrid[0:side, 0:side]
    for i in range(n):
        cy, cx = rng.uniform(5, side - 5, 2)
        spot = ((yy - cy) ** 2 + (xx - cx) ** 2 < 9)[..., None]
        pole = (np.abs(xx - cx - (0.6 if lean[i] else -0.6) * (yy - cy)) < 1)[..., None] & (yy > cy)[..., None]
        img[i] = np.where(pole, 30.0, img[i])
        img[i] = np.where(spot, COLOURS[lamp[i]], img[i])
    img = np.clip(img + rng.normal(0, 25, img.shape), 0, 255).astype(np.uint8)
    return img, lamp * 2 + lean


train_img, train_lab = photos(1200)
test_img, test_lab = photos(400)
print(train_img.shape, train_img.dtype)


# %%
def as_input(img):
    x = torch.from_numpy(img).view(-1, 3, img.shape[1], img.shape[2])
    return (x.float() / 255 - 0.5) / 0.25


train_x, train_y = as_input(train_img), torch.from_numpy(train_lab)
test_x, test_y = as_input(test_img), torch.from_numpy(test_lab)


# %%
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 12, 5, padding=2)
        self.conv2 = nn.Conv2d(12, 24, 3, padding=1)
        self.fc1 = nn.Linear(24 * 25, 48)
        self.fc2 = nn.Linear(48, 6)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)

# %%
for epoch in range(6):
    running = 0.0
    for idx in torch.randperm(len(train_x)).split(40):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(train_x[idx]), train_y[idx])
        loss.backward()
        optimizer.step()
        running += loss.item() * len(idx)
    print("epoch", epoch, f"{running / len(train_x):.4f}")

# %%
with torch.no_grad():
    acc = (net(test_x).argmax(1) == test_y).float().mean().item()
print(f"result: {acc:.4f}")
