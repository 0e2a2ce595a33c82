import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Glyphs(Dataset):
    def __init__(self, per_class, generator):
        shapes = torch.Generator().manual_seed(100)
        self.prototypes = torch.randn(8, 25, generator=shapes)
        self.targets = torch.arange(8).repeat_interleave(per_class)
        self.noise = torch.randn(8 * per_class, 25, generator=generator)

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, i):
        return self.prototypes[self.targets[i]] + self.noise[i], self.targets[i]


def train(net, loader, epochs):
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        net.train()
        total = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = loss_fn(net(x), y)
            total += loss.item() * len(y)
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch} loss {total / len(loader.dataset):.6f}")


def evaluate(net, loader):
    net.eval()
    good = 0
    with torch.no_grad():
        for x, y in loader:
            good += (net(x).argmax(1) == y).sum().item()
    return good / len(loader.dataset)


def main():
    torch.manual_seed(1)
    g = torch.Generator().manual_seed(1)
    train_loader = DataLoader(Glyphs(200, g), batch_size=40, shuffle=True)
    test_loader = DataLoader(Glyphs(50, g), batch_size=80)
    net = nn.Sequential(nn.Linear(25, 40), nn.ReLU(), nn.Linear(40, 8))
    train(net, train_loader, epochs=4)
    print(f"result: {evaluate(net, test_loader):.4f}")


main()
