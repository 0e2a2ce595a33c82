import math
import torch
import torch.nn as nn
import torch.nn.functional as F

CELLS, STRIDE = 8, 4


def radar_scenes(n):
    """32x32 radar pictures; ships are short bright strokes, the answer says which of 8x8 cells hold one."""
    size = CELLS * STRIDE
    picture = torch.randn(n, 1, size, size).mul_(0.6)
    ship = torch.zeros(n, CELLS, CELLS)
    for i in range(n):
        for cell in torch.randperm(CELLS * CELLS)[:int(torch.randint(1, 5, (1,)))].tolist():
            r, c = divmod(cell, CELLS)
            ship[i, r, c] = 1
            y, x = r * STRIDE + 1, c * STRIDE + 1
            if torch.rand(()) < 0.5:
                picture[i, 0, y, c * STRIDE:c * STRIDE + 4] += 2.0
            else:
                picture[i, 0, r * STRIDE:r * STRIDE + 4, x] += 2.0
    return picture, ship


class ShipFinder(nn.Module):
    def __init__(self, width=24, prior=0.01):
        super().__init__()
        self.tower = nn.Sequential(
            nn.Conv2d(1, width, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(width, width, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU())
        self.objectness = nn.Conv2d(width, 1, 1)
        self.reset(prior)

    def reset(self, prior):
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
                nn.init.constant_(m.bias, -math.log((1 - prior) / prior))

    def forward(self, x):
        return self.objectness(self.tower(x)).squeeze(1)


def focal_loss(logits, ship, alpha=0.5, gamma=2.0):
    ce = F.binary_cross_entropy_with_logits(logits, ship, reduction="none")
    hit = torch.exp(-ce)
    weight = alpha * ship + (1 - alpha) * (1 - ship)
    return (weight * (1 - hit) ** gamma * ce).sum() / ship.sum().clamp(min=1)


class Trainer:
    def __init__(self, net, lr=2e-3):
        self.net = net
        self.opt = torch.optim.Adam(net.parameters(), lr=lr)

    def fit(self, pictures, ships, epochs=8, batch=40):
        for epoch in range(epochs):
            self.net.train()
            losses = []
            for rows in torch.randperm(len(pictures)).split(batch):
                self.opt.zero_grad()
                loss = focal_loss(self.net(pictures[rows]), ships[rows])
                loss.backward()
                self.opt.step()
                losses.append(loss.item())
            print(f"epoch {epoch}: focal loss {sum(losses) / len(losses):.4f}")

    @torch.no_grad()
    def f1(self, pictures, ships):
        self.net.eval()
        found = torch.sigmoid(self.net(pictures)) > 0.5
        both = (found & ships.bool()).sum().item()
        return 2 * both / (found.sum().item() + ships.sum().item())


def main():
    torch.manual_seed(18)
    pictures, ships = radar_scenes(1300)
    mean, std = pictures[:1000].mean(), pictures[:1000].std()
    pictures = (pictures - mean) / std
    trainer = Trainer(ShipFinder())
    trainer.fit(pictures[:1000], ships[:1000])
    print(f"result: {trainer.f1(pictures[1000:], ships[1000:]):.4f}")


if __name__ == "__main__":
    main()
