import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


def leaf_photos(n, rng):
    """uint8 pictures of leaves (16x16x3): healthy, spotted, or yellow at the edge."""
    yy, xx = np.mgrid[-1:1:16j, -1:1:16j]
    label = rng.integers(0, 3, n)
    photos = np.empty((n, 16, 16, 3))
    for k in range(n):
        light = rng.uniform(0.7, 1.2)
        leaf = np.array([70, 120, 50.0]) * np.ones((16, 16, 1))
        if label[k] == 1:
            for _ in range(3):
                cy, cx = rng.uniform(-0.8, 0.8, 2)
                leaf[(yy - cy) ** 2 + (xx - cx) ** 2 < 0.03] = [110, 80, 40]
        elif label[k] == 2:
            leaf[(np.abs(xx) > 0.8)] = [120, 125, 50]
        photos[k] = leaf * light + rng.normal(0, 22, (16, 16, 3))
    return photos.clip(0, 255).astype(np.uint8), label


class LeafDataset(Dataset):
    def __init__(self, photos, labels, transform):
        self.photos, self.labels, self.transform = photos, labels, transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.transform(self.photos[i]), int(self.labels[i])


class ToChannelsFirst:
    def __call__(self, photo):
        return torch.from_numpy(photo).permute(2, 0, 1).float() / 255


class Standardize:
    def __init__(self, photos):
        scaled = photos.reshape(-1, 3) / 255
        self.mean = torch.tensor(scaled.mean(0), dtype=torch.float32).view(3, 1, 1)
        self.std = torch.tensor(scaled.std(0), dtype=torch.float32).view(3, 1, 1)

    def __call__(self, x):
        return (x - self.mean) / self.std


class Compose:
    def __init__(self, *steps):
        self.steps = steps

    def __call__(self, x):
        for step in self.steps:
            x = step(x)
        return x


torch.manual_seed(19)
rng = np.random.default_rng(19)
train_photos, train_labels = leaf_photos(900, rng)
test_photos, test_labels = leaf_photos(300, rng)

train_tf = Compose(ToChannelsFirst(), Standardize(train_photos))
test_tf = Compose(ToChannelsFirst(), Standardize(train_photos))
train_loader = DataLoader(LeafDataset(train_photos, train_labels, train_tf), batch_size=45, shuffle=True)
test_loader = DataLoader(LeafDataset(test_photos, test_labels, test_tf), batch_size=100)

cnn = nn.Sequential(
    nn.Conv2d(3, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(24 * 16, 3),
)
adam = torch.optim.Adam(cnn.parameters(), lr=2e-3)

for epoch in range(6):
    cnn.train()
    for x, y in train_loader:
        adam.zero_grad()
        loss = nn.functional.cross_entropy(cnn(x), y)
        loss.backward()
        adam.step()
    print(f"epoch {epoch}, last loss {loss.item():.4f}")

cnn.eval()
right = 0
with torch.no_grad():
    for x, y in test_loader:
        right += (cnn(x).argmax(1) == y).sum().item()
print(f"test accuracy {right / len(test_labels):.4f}")
