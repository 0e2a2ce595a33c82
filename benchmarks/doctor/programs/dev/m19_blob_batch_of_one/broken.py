import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def cell_images(n, seed):
    """Microscope crops: four stages that differ in brightness, size and number of blobs."""
    g = torch.Generator().manual_seed(seed)
    stage = torch.randint(0, 4, (n,), generator=g)
    axis = torch.arange(18.0)
    images = 0.25 * torch.randn(n, 1, 18, 18, generator=g)
    for image, s in zip(images, stage.tolist()):
        for _ in range(2):
            cy, cx = (4 + 10 * torch.rand(2, generator=g)).tolist()
            radius = 2.0 if s % 2 == 0 else 3.0
            height = 0.7 if s < 2 else 1.4
            image[0] += height * torch.exp(-((axis[:, None] - cy) ** 2 + (axis - cx) ** 2) / (2 * radius ** 2))
    return TensorDataset(images, stage)


class StageNet(nn.Module):
    @staticmethod
    def block(c_in, c_out):
        return nn.Sequential(
            nn.Conv2d(c_in, c_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(c_out),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(self.block(1, 12), self.block(12, 24), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.fc = nn.Linear(96, 4)

    def forward(self, x):
        return self.fc(self.body(x))


class Runner:
    def __init__(self, train_set, test_set):
        self.train_loader = DataLoader(train_set, batch_size=1, shuffle=True)
        self.test_loader = DataLoader(test_set, batch_size=100)
        self.net = StageNet()
        self.opt = torch.optim.Adam(self.net.parameters(), lr=2e-3)
        self.loss_fn = nn.CrossEntropyLoss()

    def train(self, epochs):
        for epoch in range(epochs):
            self.net.train()
            running = 0.0
            for image, stage in self.train_loader:
                loss = self.loss_fn(self.net(image), stage)
                self.opt.zero_grad()
                loss.backward()
                self.opt.step()
                running += loss.item()
            print(f"epoch {epoch}: {running / len(self.train_loader):.4f}")

    @torch.no_grad()
    def test(self):
        self.net.eval()
        hits = sum((self.net(image).argmax(1) == stage).sum().item() for image, stage in self.test_loader)
        return hits / len(self.test_loader.dataset)


if __name__ == "__main__":
    torch.manual_seed(0)
    runner = Runner(cell_images(600, seed=10), cell_images(400, seed=11))
    runner.train(3)
    print(f"result: {runner.test():.4f}")
