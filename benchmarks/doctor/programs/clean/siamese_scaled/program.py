import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset
import firstlight as fl


class Pairs(Dataset):
    def __init__(self, data, rows, count, seed):
        g = torch.Generator().manual_seed(seed)
        pictures, labels = data.inputs[rows], data.labels[rows]
        self.pictures = pictures.float().div(255)
        groups = [torch.nonzero(labels == k).squeeze(1) for k in (0, 1, 7, 8)]
        self.pairs = []
        for i in range(count):
            a = int(torch.randint(4, (), generator=g))
            b = a if i % 2 == 0 else (a + int(torch.randint(1, 4, (), generator=g))) % 4
            one, two = (groups[k][int(torch.randint(len(groups[k]), (), generator=g))] for k in (a, b))
            self.pairs.append((one, two, float(a == b)))

    def __len__(self):
        return len(self.pairs)

    def __getitem__(self, i):
        one, two, same = self.pairs[i]
        return self.pictures[one], self.pictures[two], torch.tensor(same)


class SiameseNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(196, 48), nn.ReLU(), nn.Linear(48, 16))
        self.fc = nn.Linear(16, 1)

    def forward(self, a, b):
        return self.fc((self.body(a) - self.body(b)).abs()).squeeze(1)


torch.manual_seed(1)
train, test = fl.load("fashion_mnist_small")
train_loader = DataLoader(Pairs(train, slice(0, 3000), 1600, 1), batch_size=40, shuffle=True)
test_loader = DataLoader(Pairs(test, slice(0, 1000), 400, 2), batch_size=100)
model = SiameseNetwork()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(1, 5):
    model.train()
    total = 0.0
    for a, b, same in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(a, b), same)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"Epoch {epoch} loss {total / len(train_loader):.6f}")
model.eval()
correct = 0
with torch.no_grad():
    for a, b, same in test_loader:
        correct += ((model(a, b) > 0).float() == same).sum().item()
print(f"result: {correct / 400:.4f}")
