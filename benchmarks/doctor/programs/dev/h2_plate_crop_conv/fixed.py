import time

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Plates(Dataset):
    """Grey crops of 20 x 20 points with one bar: lying, standing, rising or falling."""

    def __init__(self, count, seed):
        g = torch.Generator().manual_seed(seed)
        self.kind = torch.randint(0, 4, (count,), generator=g)
        self.pictures = 0.35 * torch.randn(count, 1, 20, 20, generator=g)
        at = torch.randint(3, 17, (count,), generator=g)
        line = torch.arange(20)
        for picture, kind, where in zip(self.pictures, self.kind.tolist(), at.tolist()):
            if kind == 0:
                picture[0, where, :] += 1.0
            elif kind == 1:
                picture[0, :, where] += 1.0
            elif kind == 2:
                picture[0, line, (line + where) % 20] += 1.0
            else:
                picture[0, line, (where - line) % 20] += 1.0

    def __len__(self):
        return len(self.kind)

    def __getitem__(self, index):
        return self.pictures[index], self.kind[index]


class PlateNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 16, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(16)
        self.conv3 = nn.Conv2d(16, 16, 3, padding=1)
        self.norm3 = nn.BatchNorm2d(16)
        self.act = nn.ReLU()
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(16 * 5 * 5, 4)

    def forward(self, x):
        x = self.pool(self.act(self.norm1(self.conv1(x))))
        x = self.act(self.norm2(self.conv2(x)))
        x = self.pool(self.act(self.norm3(self.conv3(x))))
        return self.head(x.flatten(1))


def run(model, loader, criterion, optimizer=None):
    training = optimizer is not None
    model.train(training)
    loss_sum, hits, count = 0.0, 0, 0
    with torch.set_grad_enabled(training):
        for pictures, kinds in loader:
            out = model(pictures)
            loss = criterion(out, kinds)
            if training:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            loss_sum += loss.item() * len(kinds)
            hits += (out.argmax(1) == kinds).sum().item()
            count += len(kinds)
    return loss_sum / count, hits / count


if __name__ == "__main__":
    torch.manual_seed(31)
    train_loader = DataLoader(Plates(1200, 1), batch_size=40, shuffle=True)
    test_loader = DataLoader(Plates(400, 2), batch_size=100)
    net = PlateNet()
    criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(3):
        began = time.time()
        train_loss, _ = run(net, train_loader, criterion, optimizer)
        print(f"epoch {epoch} loss {train_loss:.6f} ({time.time() - began:.1f} s)")
    print(f"result: {run(net, test_loader, criterion)[1]:.4f}")
