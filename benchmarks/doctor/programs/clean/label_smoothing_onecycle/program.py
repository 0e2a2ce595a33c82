import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Clouds(Dataset):
    def __init__(self, count, seed):
        g = torch.Generator().manual_seed(seed)
        centre = torch.randn(10, 20, generator=torch.Generator().manual_seed(99))
        self.y = torch.randint(0, 10, (count,), generator=g)
        self.x = centre[self.y] + 0.8 * torch.randn(count, 20, generator=g)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


def train(model, loader, epochs):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, nesterov=True)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.3, epochs=epochs, steps_per_epoch=len(loader))
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    for epoch in range(epochs):
        total = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            scheduler.step()
            total += loss.item()
        print(f"epoch {epoch} lr {scheduler.get_last_lr()[0]:.5f} loss {total / len(loader):.6f}")


def test(model, loader):
    right = 0
    with torch.no_grad():
        for x, y in loader:
            right += (model(x).argmax(1) == y).sum().item()
    return right / len(loader.dataset)


if __name__ == "__main__":
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 10))
    train(model, DataLoader(Clouds(1600, 1), batch_size=64, shuffle=True), epochs=5)
    print(f"result: {test(model, DataLoader(Clouds(400, 2), batch_size=100)):.4f}")
