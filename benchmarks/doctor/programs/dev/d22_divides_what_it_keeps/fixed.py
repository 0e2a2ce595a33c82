import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class GreyDigits(Dataset):
    """Blurred numbers of 8 x 8 points, grey values 0 to 16."""

    patterns = ["3c66666666663c00", "1838181818187e00", "3c66060c30607e00", "3c66061c06663c00", "0c1c3c6c7e0c0c00", "7e607c0606663c00"]

    def __init__(self, n, seed):
        rng = np.random.default_rng(seed)
        bits = [np.unpackbits(np.frombuffer(bytes.fromhex(p), np.uint8)).reshape(8, 8) for p in self.patterns]
        self.labels = rng.integers(0, 6, n)
        clean = np.stack([np.roll(bits[k], rng.integers(-1, 2), axis=1) for k in self.labels]) * 11.0
        self.images = (clean + rng.normal(2, 2.5, clean.shape)).clip(0, 16).astype(np.float32)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        image = self.images[i]
        image = image / 16
        return torch.from_numpy(image), int(self.labels[i])


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 16, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.fc = nn.Linear(16 * 16, 6)

    def forward(self, x):
        x = self.pool(nn.functional.relu(self.conv(x[:, None])))
        return self.fc(x.flatten(start_dim=1))


def fit(net, loader, epochs, optimizer, criterion):
    for epoch in range(epochs):
        net.train()
        total_loss = 0.0
        for images, labels in loader:
            optimizer.zero_grad()
            loss = criterion(net(images), labels)
            loss.backward()
            optimizer.step()
            total_loss += loss.item()
        print(f"Epoch {epoch + 1}: train loss {total_loss / len(loader):.6f}")


def accuracy(net, loader):
    net.eval()
    hits = total = 0
    with torch.no_grad():
        for images, labels in loader:
            hits += (net(images).argmax(1) == labels).sum().item()
            total += len(labels)
    return hits / total


torch.manual_seed(5)
net = ConvNet()
fit(net, DataLoader(GreyDigits(1200, 1), batch_size=60, shuffle=True), 4, torch.optim.Adam(net.parameters(), lr=3e-3), nn.CrossEntropyLoss())
print(f"result: {accuracy(net, DataLoader(GreyDigits(300, 2), batch_size=100)):.4f}")
