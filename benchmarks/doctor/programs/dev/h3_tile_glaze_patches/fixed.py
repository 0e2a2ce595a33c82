import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SIDE = 16
GLAZES = ["lines", "columns", "slant", "checks"]


def paint(rng, glaze):
    """One tile, height by width by colour, as a camera gives it."""
    rows, cols = np.mgrid[0:SIDE, 0:SIDE]
    start = rng.integers(0, 4)
    if glaze == 0:
        mask = (rows + start) // 2 % 2
    elif glaze == 1:
        mask = (cols + start) // 2 % 2
    elif glaze == 2:
        mask = (rows + cols + start) // 2 % 2
    else:
        mask = ((rows + start) // 2 + (cols + start) // 2) % 2
    light, dark = rng.integers(90, 200, 3), rng.integers(40, 150, 3)
    tile = np.where(mask[..., None] == 1, light, dark) + rng.normal(0, 32, (SIDE, SIDE, 3))
    return np.clip(tile, 0, 255).astype(np.uint8)


def photograph(rng, count):
    kinds = rng.integers(0, len(GLAZES), count)
    tiles = np.stack([paint(rng, kind) for kind in kinds])
    return tiles, kinds


def to_network(tiles):
    pictures = torch.from_numpy(tiles).permute(0, 3, 1, 2).contiguous()
    return pictures.float() / 255 - 0.5


def small_cnn():
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 24, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(24 * 4 * 4, len(GLAZES)),
    )


def train(net, loader, epochs):
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(epochs):
        net.train()
        running, count = 0.0, 0
        for pictures, kinds in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(net(pictures), kinds)
            loss.backward()
            optimizer.step()
            running += loss.item() * kinds.size(0)
            count += kinds.size(0)
        print(f"epoch {epoch + 1}: {running / count:.6f}")


def accuracy(net, loader):
    net.eval()
    good, count = 0, 0
    with torch.no_grad():
        for pictures, kinds in loader:
            good += net(pictures).argmax(1).eq(kinds).sum().item()
            count += kinds.size(0)
    return good / count


def main():
    torch.manual_seed(21)
    rng = np.random.default_rng(21)
    train_tiles, train_kinds = photograph(rng, 1300)
    test_tiles, test_kinds = photograph(rng, 400)
    train_set = TensorDataset(to_network(train_tiles), torch.from_numpy(train_kinds))
    test_set = TensorDataset(to_network(test_tiles), torch.from_numpy(test_kinds))
    net = small_cnn()
    train(net, DataLoader(train_set, batch_size=50, shuffle=True), epochs=10)
    print(f"result: {accuracy(net, DataLoader(test_set, batch_size=100)):.4f}")


if __name__ == "__main__":
    main()
