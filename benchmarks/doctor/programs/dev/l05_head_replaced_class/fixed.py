import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(4)
PROTOTYPES = torch.randn(8, 36)


class Patterns(Dataset):
    """Pictures of 6x6 points: one of some prototypes and a lot of noise."""

    def __init__(self, n, seed, classes):
        g = torch.Generator().manual_seed(seed)
        self.y = torch.randint(0, classes, (n,), generator=g)
        self.x = PROTOTYPES[self.y] + 1.2 * torch.randn(n, 36, generator=g)

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


class Classifier(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(36, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
        self.fc = nn.Linear(64, classes)

    def forward(self, x):
        return self.fc(self.body(x))


def fit(model, optimizer, loader, epochs):
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        total = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = loss_fn(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch} loss {total / len(loader):.6f}")


model = Classifier(classes=1000)
model.fc = nn.Linear(64, 8)
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
fit(model, optimizer, DataLoader(Patterns(1600, 1, 8), batch_size=40, shuffle=True), epochs=3)

test_set = Patterns(500, 2, 8)
model.eval()
with torch.no_grad():
    accuracy = (model(test_set.x).argmax(1) == test_set.y).float().mean().item()
print(f"result: {accuracy:.4f}")
