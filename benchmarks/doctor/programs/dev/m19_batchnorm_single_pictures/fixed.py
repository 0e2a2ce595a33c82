import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset


class Stripes(Dataset):
    """Stripes of three widths; brightness and contrast differ from picture to picture."""

    def __init__(self, n, seed):
        g = torch.Generator().manual_seed(seed)
        self.y = torch.randint(0, 3, (n,), generator=g)
        columns = torch.arange(12)
        start = torch.randint(0, 6, (n, 1), generator=g)
        stripes = (((columns + start) // (self.y[:, None] + 1)) % 2).float()
        self.x = stripes[:, None, None, :].repeat(1, 1, 12, 1) + 0.4 * torch.randn(n, 1, 12, 12, generator=g)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


torch.manual_seed(2)
train_loader = DataLoader(Stripes(700, 1), batch_size=14, shuffle=True)
test_loader = DataLoader(Stripes(300, 2), batch_size=100)

net = nn.Sequential(
    nn.Conv2d(1, 6, 3, padding=1),
    nn.BatchNorm2d(6),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(6, 8, 3, padding=1),
    nn.BatchNorm2d(8),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(8 * 36, 3),
)
optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
criterion = nn.CrossEntropyLoss()

for epoch in range(3):
    net.train()
    running = 0.0
    for pictures, widths in train_loader:
        optimizer.zero_grad()
        loss = criterion(net(pictures), widths)
        loss.backward()
        optimizer.step()
        running += loss.item() * len(widths)
    net.eval()
    ok = 0
    with torch.no_grad():
        for pictures, widths in test_loader:
            ok += (net(pictures).argmax(1) == widths).sum().item()
    print(f"epoch {epoch + 1} loss {running / 700:.6f} test {ok / 300:.3f}")

print(f"result: {ok / 300:.4f}")
