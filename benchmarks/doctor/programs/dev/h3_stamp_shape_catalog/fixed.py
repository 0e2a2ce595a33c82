import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class StampPress:
    """Prints stamps of 18 by 18 dots with one of five shapes."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def one(self, shape):
        y, x = np.mgrid[-9:9, -9:9] + 0.5
        y, x = y + self.rng.uniform(-2, 2), x + self.rng.uniform(-2, 2)
        size = self.rng.uniform(3.5, 5.5)
        radius = np.hypot(x, y)
        ink = [
            radius < size,
            np.abs(radius - size) < 1.2,
            np.maximum(np.abs(x), np.abs(y)) < size * 0.85,
            (np.abs(x) < 1.2) & (np.abs(y) < size) | (np.abs(y) < 1.2) & (np.abs(x) < size),
            np.abs(x) + np.abs(y) < size * 1.2,
        ][shape]
        return ink + self.rng.normal(0, 0.45, ink.shape)

    def sheet(self, count):
        shapes = self.rng.integers(0, 5, count)
        stamps = np.stack([self.one(s) for s in shapes]).astype(np.float32)
        return torch.from_numpy(stamps)[:, None], torch.from_numpy(shapes)


class Jitter:
    """Moves every stamp of a batch by a few dots."""

    def __init__(self, reach, seed):
        self.reach = reach
        self.rng = np.random.default_rng(seed)

    def __call__(self, stamps):
        moves = self.rng.integers(-self.reach, self.reach + 1, (len(stamps), 2)).tolist()
        return torch.stack([torch.roll(s, (dy, dx), (1, 2)) for s, (dy, dx) in zip(stamps, moves)])


class ShapeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 12, 5, padding=2)
        self.conv2 = nn.Conv2d(12, 24, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.shape = nn.Linear(24 * 4 * 4, 5)

    def forward(self, stamps):
        h = self.pool(self.conv1(stamps).relu())
        h = self.pool(self.conv2(h).relu())
        return self.shape(h.flatten(1))


class Catalog:
    def __init__(self, net, jitter):
        self.net, self.jitter = net, jitter
        self.loss = nn.CrossEntropyLoss(label_smoothing=0.05)
        self.optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, T_max=11)

    def fit(self, loader, epochs):
        for epoch in range(epochs):
            self.net.train()
            running = []
            for stamps, shapes in loader:
                scores = self.net(self.jitter(stamps))
                loss = self.loss(scores, shapes)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                running.append(loss.item())
            self.schedule.step()
            print(f"epoch {epoch + 1} loss {np.mean(running):.6f}")

    @torch.no_grad()
    def score(self, stamps, shapes):
        self.net.eval()
        return self.net(stamps).argmax(1).eq(shapes).float().mean().item()


torch.manual_seed(40)
press = StampPress(40)
train_stamps, train_shapes = press.sheet(1500)
test_stamps, test_shapes = press.sheet(500)
loader = DataLoader(TensorDataset(train_stamps, train_shapes), batch_size=50, shuffle=True)

catalog = Catalog(ShapeNet(), Jitter(2, seed=6))
catalog.fit(loader, 11)
print(f"result: {catalog.score(test_stamps, test_shapes):.4f}")
