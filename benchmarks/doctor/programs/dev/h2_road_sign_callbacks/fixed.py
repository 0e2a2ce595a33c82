import copy

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset, random_split

torch.manual_seed(12)


class Signs(Dataset):
    """Signs of 20 x 20 pixels: ring, triangle, square, cross, bar."""

    def __init__(self, n, augment=False):
        self.augment = augment
        yy, xx = torch.meshgrid(torch.arange(20) - 9.5, torch.arange(20) - 9.5, indexing="ij")
        r = (yy ** 2 + xx ** 2).sqrt()
        size = torch.maximum(yy.abs(), xx.abs())
        forms = [(r - 5).abs() < 1.2,
                 (yy > -5) & (yy < 5) & (xx.abs() < (yy + 5) / 2),
                 (size - 5).abs() < 1,
                 ((xx - yy).abs() < 1.5) & (size < 6) | ((xx + yy).abs() < 1.5) & (size < 6),
                 (yy.abs() < 1.5) & (xx.abs() < 6)]
        self.labels = torch.randint(0, 5, (n,))
        self.pictures = torch.stack(forms).float()[self.labels].unsqueeze(1) + 0.7 * torch.randn(n, 1, 20, 20)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        picture = self.pictures[i]
        if self.augment:
            dy, dx = torch.randint(-1, 2, (2,)).tolist()
            picture = torch.roll(picture, shifts=(dy, dx), dims=(1, 2))
        return picture, self.labels[i]


class PrintLoss:
    def on_epoch_end(self, epoch, logs):
        print(f"epoch {epoch + 1}: loss {logs['loss']:.6f}")


class Trainer:
    def __init__(self, model, train_loader, test_loader, callbacks):
        self.model, self.callbacks = model, callbacks
        self.train_loader, self.test_loader = train_loader, test_loader
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-3)

    def fit(self, epochs):
        for epoch in range(epochs):
            self.model.train()
            total, count = 0.0, 0
            for x, y in self.train_loader:
                loss = self.criterion(self.model(x), y)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                total, count = total + loss.item() * len(y), count + len(y)
            for callback in self.callbacks:
                callback.on_epoch_end(epoch, {"loss": total / count})
        return self

    @torch.no_grad()
    def evaluate(self):
        self.model.eval()
        hits = [(self.model(x).argmax(1) == y).float() for x, y in self.test_loader]
        return torch.cat(hits).mean().item()


signs = Signs(2000, augment=True)
train_set, test_set = random_split(signs, [1500, 500], generator=torch.Generator().manual_seed(5))
test_set.dataset = copy.copy(signs)
test_set.dataset.augment = False
net = nn.Sequential(
    nn.Conv2d(1, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Dropout(0.2), nn.Linear(24 * 25, 5),
)
trainer = Trainer(net, DataLoader(train_set, batch_size=50, shuffle=True), DataLoader(test_set, batch_size=100), [PrintLoss()])
print(f"result: {trainer.fit(5).evaluate():.4f}")
