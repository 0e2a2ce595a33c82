# %%
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(11)
rng = np.random.default_rng(11)

# %%
SEGMENTS = ["abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg"]
BARS = dict(a=(0, 0, 1, 5), g=(4, 0, 1, 5), d=(8, 0, 1, 5), f=(0, 0, 5, 1), b=(0, 4, 5, 1), e=(4, 0, 5, 1), c=(4, 4, 5, 1))


def photograph(digit):
    img = np.full((14, 14), 20.0)
    top, left = rng.integers(0, 6), rng.integers(0, 10)
    for s in SEGMENTS[digit]:
        r, c, h, w = BARS[s]
        img[top + r:top + r + h, left + c:left + c + w] = rng.uniform(90, 190)
    return (img + rng.normal(0, 10, img.shape)).clip(0, 255).astype(np.uint8)


labels = rng.integers(0, 10, 2100)
images = np.stack([photograph(d) for d in labels])
img_train, img_test = images[:1500], images[1500:]
lab_train, lab_test = labels[:1500], labels[1500:]
MEAN = float(img_train.mean())
STD = float(img_train.std())


# %%
def to_picture(img):
    return torch.from_numpy(img).unsqueeze(0).float()


def centre(t):
    return t - MEAN


def rescale(t):
    return t / STD


class Digits(Dataset):
    def __init__(self, imgs, labs, steps):
        self.imgs, self.labs, self.steps = imgs, labs, steps

    def __len__(self):
        return len(self.imgs)

    def __getitem__(self, i):
        x = self.imgs[i]
        for step in self.steps:
            x = step(x)
        return x, int(self.labs[i])


train_dl = DataLoader(Digits(img_train, lab_train, [to_picture, centre, rescale]), batch_size=32, shuffle=True)
test_dl = DataLoader(Digits(img_test, lab_test, [to_picture, centre, rescale]), batch_size=128)


# %%
class SmallCNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(1, 24, 3, padding=1, bias=False)
        self.norm = nn.GroupNorm(4, 24)
        self.c2 = nn.Conv2d(24, 48, 3, padding=1)
        self.fc = nn.Linear(48 * 9, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.norm(self.c1(x))), 2)
        x = F.max_pool2d(F.relu(self.c2(x)), 2)
        return self.fc(x.flatten(1))


net = SmallCNN()
opt = torch.optim.Adam(net.parameters(), lr=2e-3)

# %%
for epoch in range(8):
    net.train()
    running = 0.0
    for x, y in train_dl:
        opt.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        opt.step()
        running += loss.item() * len(y)
    print(epoch, round(running / len(img_train), 4))

# %%
net.eval()
right = 0
with torch.no_grad():
    for x, y in test_dl:
        right += (net(x).argmax(1) == y).sum().item()
print(f"result: {right / len(img_test):.4f}")
