import random

import torch
from torch import nn, optim
from torch.utils.data import DataLoader, Dataset


def letter(name, noise):
    strokes = {"L": [(2, 2, 8, 2), (8, 2, 8, 6)], "T": [(2, 1, 2, 7), (2, 4, 8, 4)], "X": [(2, 1, 8, 7), (2, 7, 8, 1)], "I": [(2, 4, 8, 4)]}
    image = noise * torch.randn(1, 11, 9)
    for y0, x0, y1, x1 in strokes[name]:
        for k in range(9):
            image[0, round(y0 + (y1 - y0) * k / 8), round(x0 + (x1 - x0) * k / 8)] += 0.6
    return image


class Letters(Dataset):
    names = "LTXI"

    def __init__(self, n, shift):
        picks = [random.randrange(4) for _ in range(n)]
        self.images = [letter(self.names[k], 0.35) for k in picks]
        self.picks = picks
        self.shift = shift
        self.rng = random.Random(42)

    def __len__(self):
        return len(self.picks)

    def __getitem__(self, index):
        image = self.images[index]
        if self.shift:
            image = torch.roll(image, (self.rng.randint(-2, 2), self.rng.randint(-1, 1)), dims=(1, 2))
        return image, self.picks[index]


class Trainer:
    def __init__(self, model, lr):
        self.model = model
        self.optimizer = optim.Adam(model.parameters(), lr=lr)
        self.criterion = nn.CrossEntropyLoss()

    def fit(self, loader, epochs):
        for epoch in range(epochs):
            self.model.train()
            total = 0
            for images, picks in loader:
                self.optimizer.zero_grad()
                loss = self.criterion(self.model(images), picks)
                loss.backward()
                self.optimizer.step()
                total += loss.item() * len(picks)
            print(f"epoch {epoch + 1} loss {total / len(loader.dataset):.6f}")

    def validate(self, loader):
        self.model.eval()
        correct = 0
        with torch.no_grad():
            for images, picks in loader:
                correct += (self.model(images).argmax(1) == picks).sum().item()
        return correct / len(loader.dataset)


random.seed(7)
torch.manual_seed(7)
train_loader = DataLoader(Letters(1200, shift=True), batch_size=40, shuffle=True)
val_loader = DataLoader(Letters(300, shift=False), batch_size=100)
trainer = Trainer(nn.Sequential(nn.Flatten(), nn.Linear(99, 64), nn.ReLU(), nn.Linear(64, 4)), lr=0.003)
trainer.fit(train_loader, epochs=8)
print(f"result: {trainer.validate(val_loader):.4f}")
