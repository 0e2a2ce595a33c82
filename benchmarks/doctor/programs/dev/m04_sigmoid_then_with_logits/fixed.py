import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

CONFIG = {"size": 16, "train": 500, "test": 120, "epochs": 7, "batch": 20, "lr": 4e-3, "seed": 40}


def cells_under_microscope(n, size, rng):
    """Noisy pictures with one to three round cells, and the mask of the cells."""
    rows, cols = np.mgrid[:size, :size]
    pictures = rng.normal(0.0, 0.5, (n, 1, size, size))
    masks = np.zeros((n, 1, size, size))
    for picture, mask in zip(pictures, masks):
        for _ in range(rng.integers(1, 4)):
            cy, cx, rad = rng.uniform(2, size - 2), rng.uniform(2, size - 2), rng.uniform(2, 4.5)
            inside = (rows - cy) ** 2 + (cols - cx) ** 2 < rad ** 2
            mask[0][inside] = 1.0
        picture += mask * rng.uniform(0.8, 1.6)
    return torch.tensor(pictures, dtype=torch.float32), torch.tensor(masks, dtype=torch.float32)


def build_segmenter(width=12):
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1), nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=2, dilation=2), nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
        nn.Conv2d(width, 1, 1),
    )


def train_one_epoch(net, loader, criterion, optimizer):
    net.train()
    running, seen = 0.0, 0
    for pictures, masks in loader:
        logits = net(pictures)
        loss = criterion(logits, masks)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item() * len(pictures)
        seen += len(pictures)
    return running / seen


def intersection_over_union(net, pictures, masks):
    net.eval()
    with torch.no_grad():
        found = torch.sigmoid(net(pictures)) > 0.5
    truth = masks > 0.5
    return ((found & truth).sum() / (found | truth).sum()).item()


def main(cfg):
    torch.manual_seed(cfg["seed"])
    rng = np.random.default_rng(cfg["seed"])
    train = TensorDataset(*cells_under_microscope(cfg["train"], cfg["size"], rng))
    test = cells_under_microscope(cfg["test"], cfg["size"], rng)
    loader = DataLoader(train, batch_size=cfg["batch"], shuffle=True)
    net = build_segmenter()
    criterion = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=cfg["lr"])
    for epoch in range(cfg["epochs"]):
        print(f"epoch {epoch} loss {train_one_epoch(net, loader, criterion, optimizer):.4f}")
    print(f"test IoU: {intersection_over_union(net, *test):.4f}")


if __name__ == "__main__":
    main(CONFIG)
