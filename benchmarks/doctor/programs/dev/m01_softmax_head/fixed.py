import torch
import torch.nn as nn
import torch.nn.functional as F


class ConvBlock(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, kernel_size=3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(cout)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        return self.pool(F.relu(self.norm(self.conv(x))))


class ShapeNet(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.features = nn.Sequential(ConvBlock(3, 12), ConvBlock(12, 24))
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(24 * 3 * 3, 48),
            nn.ReLU(inplace=True),
            nn.Linear(48, num_classes),
        )

    def forward(self, x):
        return self.classifier(self.features(x))


class ShapeWorld:
    """Coloured 12x12 pictures; the class is the shape, the colour does not matter."""
    names = ["disc", "ring", "square", "cross", "wedge"]

    def __init__(self, seed):
        self.g = torch.Generator().manual_seed(seed)

    def draw(self, n):
        rand = lambda *size: torch.rand(*size, generator=self.g)
        label = torch.randint(0, 5, (n,), generator=self.g)
        axis = torch.arange(12).float()
        dy = axis[None, :, None] - 4.0 - 3 * rand(n, 1, 1)
        dx = axis[None, None, :] - 4.0 - 3 * rand(n, 1, 1)
        size = 2.5 + rand(n, 1, 1)
        far = (dx ** 2 + dy ** 2).sqrt()
        box = torch.maximum(dx.abs(), dy.abs())
        masks = torch.stack([
            far < size, (far < size) & (far > size - 1.4), box < size - 0.3,
            (box < size) & (torch.minimum(dx.abs(), dy.abs()) < 0.8), (box < size) & (dx < dy),
        ], dim=1)
        mask = masks[torch.arange(n), label].float().unsqueeze(1)
        colour = 0.3 + 0.7 * rand(n, 3, 1, 1)
        picture = mask * colour + 0.25 * torch.randn(n, 3, 12, 12, generator=self.g)
        return (picture - 0.15) / 0.35, label


class Learner:
    def __init__(self, model, lr):
        self.model = model
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)

    def epoch(self, x, y, batch=64):
        self.model.train()
        total = 0.0
        for i in torch.randperm(len(x)).split(batch):
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(x[i]), y[i])
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(i)
        return total / len(x)

    @torch.no_grad()
    def evaluate(self, x, y):
        self.model.eval()
        return (self.model(x).argmax(dim=-1) == y).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(31)
    world = ShapeWorld(31)
    train, test = world.draw(1600), world.draw(500)
    learner = Learner(ShapeNet(len(ShapeWorld.names)), lr=3e-3)
    for e in range(7):
        print(f"epoch {e}: loss {learner.epoch(*train):.4f}")
    print(f"test accuracy: {learner.evaluate(*test):.4f}")
