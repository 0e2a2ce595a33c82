import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


class CornerNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.bn = nn.BatchNorm2d(8)
        self.out = nn.Linear(8 * 25, 4)

    def forward(self, x):
        x = F.relu(self.bn(self.conv1(x)))
        x = F.relu(self.bn(self.conv2(x)))
        return self.out(F.max_pool2d(x, 2).flatten(1))


def corners(n, seed):
    g = torch.Generator().manual_seed(seed)
    x = 0.3 * torch.randn(n, 1, 10, 10, generator=g)
    y = torch.randint(0, 4, (n,), generator=g)
    offsets = torch.randint(0, 5, (n, 2), generator=g)
    for i in range(n):
        r, c = offsets[i].tolist()
        turn = y[i].item()
        mark = torch.zeros(5, 5)
        mark[0, :] = 1
        mark[:, 0] = 1
        x[i, 0, r:r + 5, c:c + 5] += mark.rot90(turn, (0, 1))
    return TensorDataset(x, y)


def main():
    torch.manual_seed(28)
    train_loader = DataLoader(corners(1200, 1), batch_size=40, shuffle=True, drop_last=True)
    test_loader = DataLoader(corners(400, 2), batch_size=200)
    model = CornerNet()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for epoch in range(8):
        model.train()
        total = 0.0
        for x, y in train_loader:
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch}: loss {total / len(train_loader):.6f}")

    model.eval()
    hits = 0
    with torch.no_grad():
        for x, y in test_loader:
            hits += int((model(x).argmax(1) == y).sum())
    print(f"result: {hits / 400:.4f}")


if __name__ == "__main__":
    main()
