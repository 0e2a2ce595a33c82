"""Which of five glazes is on the tile? Small photographs from the kiln, three colours."""
import math

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(3)
rng = np.random.default_rng(3)
SIDE = 20


def photograph(kind):
    """A tile of glaze number `kind`: ripples at an angle, over warm clay."""
    yy, xx = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    angle = kind * math.pi / 5 + rng.normal(0, 0.06)
    wave = np.sin(2 * math.pi * 3.2 * (xx * math.cos(angle) + yy * math.sin(angle)) + rng.uniform(0, 6.28))
    tile = np.stack([188 + 22 * wave, 168 + 15 * wave, 150 + 10 * wave])
    tile = tile + rng.normal(0, 14, tile.shape) + rng.normal(0, 6)
    return tile.clip(0, 255).astype(np.uint8)


class Compose:
    def __init__(self, steps):
        self.steps = steps

    def __call__(self, image):
        for step in self.steps:
            image = step(image)
        return image


def to_unit(image):
    return image.float() / 255


class Standardize:
    def __init__(self, mean, std):
        self.mean = mean.view(3, 1, 1)
        self.std = std.view(3, 1, 1)

    def __call__(self, image):
        return (image - self.mean) / self.std


class GlazeTiles(Dataset):
    def __init__(self, images, kinds, transform):
        self.images = images
        self.kinds = kinds
        self.transform = transform

    def __len__(self):
        return len(self.kinds)

    def __getitem__(self, i):
        return self.transform(self.images[i]), self.kinds[i]


class GlazeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 5, padding=2)
        self.deep = nn.Conv2d(24, 40, 3, padding=1)
        self.classify = nn.Linear(40 * 4, 5)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        x = nn.functional.max_pool2d(x, 2)
        x = torch.relu(self.deep(x))
        x = nn.functional.adaptive_avg_pool2d(x, 2)
        return self.classify(x.flatten(1))


class Experiment:
    def __init__(self, learn, held):
        pixels = learn[0].float() / 255
        standardize = Standardize(pixels.mean((0, 2, 3)), pixels.std((0, 2, 3)))
        self.train_tf = Compose([to_unit, standardize])
        self.test_tf = Compose([to_unit])
        train_ds = GlazeTiles(*learn, transform=self.train_tf)
        test_ds = GlazeTiles(*held, transform=self.test_tf)
        self.train_loader = DataLoader(train_ds, batch_size=50, shuffle=True)
        self.test_loader = DataLoader(test_ds, batch_size=75)
        self.net = GlazeNet()
        self.opt = torch.optim.Adam(self.net.parameters(), lr=2e-3)
        self.loss_fn = nn.CrossEntropyLoss()

    def run(self, epochs):
        for epoch in range(1, epochs + 1):
            self.net.train()
            total = 0.0
            for tiles, kinds in self.train_loader:
                self.opt.zero_grad()
                loss = self.loss_fn(self.net(tiles), kinds)
                loss.backward()
                self.opt.step()
                total += loss.item() * len(kinds)
            print(f"epoch {epoch} loss {total / len(self.train_loader.dataset):.6f}")
        return self.score()

    @torch.no_grad()
    def score(self):
        self.net.eval()
        right = 0
        for tiles, kinds in self.test_loader:
            right += (self.net(tiles).argmax(1) == kinds).sum().item()
        return right / len(self.test_loader.dataset)


kinds = rng.integers(0, 5, 1850)
images = torch.from_numpy(np.stack([photograph(k) for k in kinds]))
kinds = torch.from_numpy(kinds)
experiment = Experiment((images[:1400], kinds[:1400]), (images[1400:], kinds[1400:]))
print(f"result: {experiment.run(5):.4f}")
