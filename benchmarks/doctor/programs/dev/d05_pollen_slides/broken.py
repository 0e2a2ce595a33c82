# %%
# Microscope slides with pollen grains. Find the grains, pixel by pixel.
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

rng = np.random.RandomState(8)
torch.manual_seed(8)


# %%
def slide(size=32):
    yy, xx = np.mgrid[0:size, 0:size]
    picture = 90 + 25 * rng.randn(size, size) + 20 * (xx / size)
    mask = np.zeros((size, size), dtype=bool)
    for _ in range(rng.randint(1, 4)):
        cy, cx, r = rng.uniform(5, size - 5), rng.uniform(5, size - 5), rng.uniform(3, 6)
        grain = (yy - cy) ** 2 + (xx - cx) ** 2 < r ** 2
        picture[grain] += 45
        mask |= grain
    return np.clip(picture, 0, 255).astype(np.uint8), mask


class Slides(Dataset):
    def __init__(self, n):
        self.pictures, self.masks = zip(*[slide() for _ in range(n)])

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, i):
        img = torch.from_numpy(self.pictures[i]).float() / 255
        return img.unsqueeze(0), torch.from_numpy(self.masks[i]).float()


train_slides, test_slides = Slides(300), Slides(90)
train_loader = DataLoader(train_slides, batch_size=20, shuffle=True)
test_loader = DataLoader(test_slides, batch_size=30)

# %%
net = nn.Sequential(
    nn.Conv2d(1, 10, 3, padding=1), nn.ReLU(),
    nn.Conv2d(10, 16, 3, padding=2, dilation=2), nn.ReLU(),
    nn.Conv2d(16, 1, 3, padding=1),
)
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)


def forward_pass(imgs):
    imgs = imgs / 255.0
    return net(imgs).squeeze(1)


# %%
for epoch in range(6):
    net.train()
    running, n = 0.0, 0
    for imgs, masks in train_loader:
        loss = F.binary_cross_entropy_with_logits(forward_pass(imgs), masks)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item() * len(imgs)
        n += len(imgs)
    print("epoch", epoch, "bce", round(running / n, 4))

# %%
net.eval()
inter = union = 0
with torch.no_grad():
    for imgs, masks in test_loader:
        found = forward_pass(imgs) > 0
        true = masks > 0.5
        inter += (found & true).sum().item()
        union += (found | true).sum().item()
print("IoU on new slides:", round(inter / union, 4))
