import os
import tempfile

import torch
import torch.nn as nn
import torch.nn.functional as F


def patterns(count):
    """Knitting patterns of 12 x 12 stitches in five repeats, with many faults in the yarn."""
    kind = torch.randint(0, 5, (count,))
    row = torch.arange(12).view(1, 12, 1)
    column = torch.arange(12).view(1, 1, 12)
    shift = torch.randint(0, 6, (count, 1, 1))
    choices = torch.stack([
        ((row + shift) % 3 == 0).expand(count, 12, 12),
        ((column + shift) % 3 == 0).expand(count, 12, 12),
        (row + column + shift) % 4 < 2,
        (row - column + shift) % 4 < 2,
        ((row // 3 + column // 3 + shift) % 2 == 0),
    ], dim=1).float()
    picture = choices[torch.arange(count), kind] + 0.5 * torch.randn(count, 12, 12)
    return picture.view(count, 144) - 0.5, kind


def backbone():
    return nn.Sequential(nn.Linear(144, 96), nn.ReLU(), nn.Linear(96, 48), nn.ReLU())


class Rebuilder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = backbone()
        self.decoder = nn.Sequential(nn.Linear(48, 96), nn.ReLU(), nn.Linear(96, 144))

    def forward(self, x):
        return self.decoder(self.encoder(x))


class Sorter(nn.Module):
    def __init__(self, kinds):
        super().__init__()
        self.backbone = backbone()
        self.head = nn.Linear(48, kinds)

    def forward(self, x):
        return self.head(self.backbone(x))


def pretrain(net, pictures, path):
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(4):
        total = 0.0
        for part in pictures[torch.randperm(len(pictures))].split(50):
            optimizer.zero_grad()
            loss = F.mse_loss(net(part), part)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(part)
        print(f"pretraining {epoch}: {total / len(pictures):.6f}")
    torch.save(net.state_dict(), path)


def finetune(net, pictures, kinds, path):
    saved = {name.replace("encoder.", "backbone."): value for name, value in torch.load(path).items()}
    net.load_state_dict(saved, strict=False)
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(8):
        total = 0.0
        for rows in torch.randperm(len(kinds)).split(20):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(pictures[rows]), kinds[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        print(f"sorting {epoch}: {total / len(kinds):.6f}")


def main():
    torch.manual_seed(50)
    plain, _ = patterns(2000)
    pictures, kinds = patterns(300)
    test_pictures, test_kinds = patterns(500)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "rebuilder.pt")
        pretrain(Rebuilder(), plain, path)
        sorter = Sorter(5)
        finetune(sorter, pictures, kinds, path)
    with torch.no_grad():
        hits = (sorter(test_pictures).argmax(1) == test_kinds).float().mean()
    print(f"result: {hits.item():.4f}")


main()
