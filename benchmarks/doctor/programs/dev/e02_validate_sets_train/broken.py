import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


def textures(n):
    """Colour textures, 3 x 12 x 12: which of four directions do the waves run?"""
    y, x = torch.meshgrid(torch.arange(12.0), torch.arange(12.0), indexing="ij")
    k = torch.randint(0, 4, (n,))
    angle = (k * math.pi / 4 + 0.25 * torch.randn(n)).view(-1, 1, 1)
    wave = torch.sin(1.5 * (x * angle.cos() + y * angle.sin()) + 6 * torch.rand(n, 1, 1))
    return wave.unsqueeze(1) * torch.rand(n, 3, 1, 1) + 0.4 * torch.randn(n, 3, 12, 12), k


class Block(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(cout)

    def forward(self, x):
        return F.max_pool2d(F.relu(self.norm(self.conv(x))), 2)


class TextureNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(Block(3, 12), Block(12, 16))
        self.head = nn.Linear(16 * 9, 4)

    def forward(self, x):
        return self.head(self.body(x).flatten(1))


class Trainer:
    def __init__(self, model, train_loader, val_loader):
        self.model, self.train_loader, self.val_loader = model, train_loader, val_loader
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)

    def step(self, batch):
        x, y = batch
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def fit(self, epochs):
        for epoch in range(epochs):
            self.model.train()
            losses = [self.step(batch) for batch in self.train_loader]
            print(f"epoch {epoch} loss {sum(losses) / len(losses):.6f} val {self.validate():.4f}")

    def validate(self):
        self.model.train()
        hits, n = 0, 0
        with torch.no_grad():
            for x, y in self.val_loader:
                hits += (self.model(x).argmax(1) == y).sum().item()
                n += len(y)
        return hits / n


torch.manual_seed(3)
train_loader = DataLoader(TensorDataset(*textures(1000)), batch_size=50, shuffle=True)
val_loader = DataLoader(TensorDataset(*textures(300)), batch_size=50)
trainer = Trainer(TextureNet(), train_loader, val_loader)
trainer.fit(5)
print(f"result: {trainer.validate():.4f}")
