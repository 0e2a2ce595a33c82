"""Species of leaves from small scans. Leaves lie on the sheet any way round, so each is shown in four directions."""
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


@dataclass
class Config:
    species: int = 5
    side: int = 16
    leaves: int = 450
    test: int = 300
    batch: int = 45
    epochs: int = 5
    lr: float = 0.002
    seed: int = 12


class LeafSheet(Dataset):
    def __init__(self, pictures, species, turns=4):
        self.pictures = pictures
        self.species = species
        self.turns = turns

    def __len__(self):
        return len(self.pictures) * self.turns

    def __getitem__(self, i):
        turn, k = divmod(i, self.turns)
        picture = torch.rot90(self.pictures[k], turn, dims=(1, 2))
        return picture, self.species[k]


def scan(cfg, n):
    kind = torch.randint(cfg.species, (n,))
    yy, xx = torch.meshgrid(torch.linspace(-1, 1, cfg.side), torch.linspace(-1, 1, cfg.side), indexing="ij")
    tilt = 6.28 * torch.rand(n, 1, 1)
    u = xx * tilt.cos() + yy * tilt.sin()
    v = yy * tilt.cos() - xx * tilt.sin()
    length = torch.tensor([0.9, 0.9, 0.6, 0.6, 0.9])[kind].view(n, 1, 1)
    width = torch.tensor([0.25, 0.5, 0.6, 0.3, 0.9])[kind].view(n, 1, 1)
    inside = torch.sigmoid(12 * (1 - (u / length) ** 2 - (v / width) ** 2))
    pictures = inside * (0.8 + 0.2 * torch.randn(n, 1, 1)) + 0.25 * torch.randn(n, cfg.side, cfg.side)
    return pictures.unsqueeze(1), kind


def network(cfg):
    return nn.Sequential(
        nn.Conv2d(1, 20, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(20, 40, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(40 * (cfg.side // 4) ** 2, 64), nn.ReLU(), nn.Linear(64, cfg.species),
    )


def fit(cfg, model, loader):
    optimizer = torch.optim.Adam(model.parameters(), lr=cfg.lr)
    loss_function = nn.CrossEntropyLoss()
    model.train()
    for epoch in range(cfg.epochs):
        total = 0.0
        for picture, kind in loader:
            loss = loss_function(model(picture), kind)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(kind)
        print(f"epoch {epoch}: {total / len(loader.dataset):.6f}")


def evaluate(model, pictures, kinds):
    model.eval()
    with torch.no_grad():
        guess = torch.cat([model(part).argmax(1) for part in pictures.split(100)])
    return (guess == kinds).float().mean().item()


def main():
    cfg = Config()
    torch.manual_seed(cfg.seed)
    pictures, kinds = scan(cfg, cfg.leaves)
    unseen, unseen_kinds = scan(cfg, cfg.test)
    mean, std = pictures.mean(), pictures.std()
    sheet = LeafSheet((pictures - mean) / std, kinds)
    model = network(cfg)
    fit(cfg, model, DataLoader(sheet, batch_size=cfg.batch, shuffle=True))
    print(f"result: {evaluate(model, (unseen - mean) / std, unseen_kinds):.4f}")


main()
