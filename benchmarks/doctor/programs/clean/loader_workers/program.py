import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Chirps(Dataset):
    def __init__(self, count, offset):
        self.count, self.offset = count, offset
        self.t = torch.linspace(0, 1, 48)

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        g = torch.Generator().manual_seed(self.offset + i)
        label = int(torch.randint(0, 2, (), generator=g))
        rate = 3 + 5 * (self.t if label else 1 - self.t)
        wave = torch.sin(6.283 * rate * self.t + 6.283 * torch.rand((), generator=g))
        return wave + 0.3 * torch.randn(48, generator=g), label


def main():
    torch.manual_seed(74)
    train = DataLoader(Chirps(800, 0), batch_size=20, shuffle=True, num_workers=2, persistent_workers=True)
    test = DataLoader(Chirps(200, 100_000), batch_size=50)
    net = nn.Sequential(nn.Linear(48, 64), nn.ReLU(), nn.Linear(64, 2))
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    for epoch in range(5):
        total = 0.0
        for x, y in train:
            loss = nn.functional.cross_entropy(net(x), y)
            opt.zero_grad()
            loss.backward()
            opt.step()
            total += loss.item()
        print(f"epoch {epoch} loss {total / len(train):.6f}")
    with torch.no_grad():
        hits = sum((net(x).argmax(1) == y).sum().item() for x, y in test)
    print(f"result: {hits / 200:.4f}")


if __name__ == "__main__":
    main()
