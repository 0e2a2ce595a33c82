import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


class House(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.BatchNorm1d(4)
        self.hidden = nn.Linear(4, 32)
        self.out = nn.Linear(32, 3)

    def forward(self, columns):
        return self.out(torch.relu(self.hidden(self.scale(columns))))


torch.manual_seed(102)
area = 40 + 200 * torch.rand(1600)
year = 1900 + 120 * torch.rand(1600)
distance = 30_000 * torch.rand(1600)
rooms = (area / 30).round() + torch.randint(0, 3, (1600,))
price = area * (1.5 - distance / 40_000) + (year - 1960).abs() + 10 * torch.randn(1600)
kind = torch.bucketize(price, price.quantile(torch.tensor([0.33, 0.67])))
houses = TensorDataset(torch.stack([area, year, distance, rooms], 1), kind)
train, test = random_split(houses, [1280, 320])
model = House()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
loader = DataLoader(train, batch_size=40, shuffle=True)
for epoch in range(6):
    model.train()
    total = 0.0
    for x, y in loader:
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch} loss {total / len(loader):.6f}")
model.eval()
hits = 0
with torch.no_grad():
    for x, y in DataLoader(test, batch_size=80):
        hits += (model(x).argmax(1) == y).sum().item()
print(f"result: {hits / len(test):.4f}")
