import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset


class Config:
    seed = 71
    epochs = 4
    batch_size = 48
    lr = 0.1
    momentum = 0.9
    max_norm = 1e-7


class ConvNet(nn.Module):
    def __init__(self, classes: int = 5):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Conv2d(6, 12, 3), nn.ReLU(), nn.MaxPool2d(2))
        self.classifier = nn.Linear(12 * 9, classes)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


class Engine:
    def __init__(self, config: type[Config]):
        torch.manual_seed(config.seed)
        self.config = config
        self.net = ConvNet()
        self.optimizer = optim.SGD(self.net.parameters(), lr=config.lr, momentum=config.momentum)
        art = torch.randn(5, 1, 10, 10)
        label = torch.randint(5, (1800,))
        picture = 0.5 * art[label] + 0.8 * torch.randn(1800, 1, 10, 10)
        self.train_loader = DataLoader(TensorDataset(picture[:1440], label[:1440]), config.batch_size, shuffle=True)
        self.test_loader = DataLoader(TensorDataset(picture[1440:], label[1440:]), 120)

    def train(self):
        self.net.train()
        total = 0.0
        for picture, label in self.train_loader:
            loss = nn.functional.cross_entropy(self.net(picture), label)
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.net.parameters(), max_norm=self.config.max_norm)
            self.optimizer.step()
            total += loss.item()
        return total / len(self.train_loader)

    def test(self):
        self.net.eval()
        ok = 0
        with torch.no_grad():
            for picture, label in self.test_loader:
                ok += self.net(picture).argmax(1).eq(label).sum().item()
        return ok / len(self.test_loader.dataset)


engine = Engine(Config)
for epoch in range(Config.epochs):
    print(f"epoch {epoch} loss {engine.train():.6f} test {engine.test():.4f}")
print(f"result: {engine.test():.4f}")
