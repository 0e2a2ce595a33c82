import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(3)
centers = torch.randn(4, 10) * 0.9
labels = torch.randint(0, 4, (1500,))
points = centers[labels] + torch.randn(1500, 10)
train_loader = DataLoader(TensorDataset(points[:1200], labels[:1200]), batch_size=32, shuffle=True)
test_x, test_y = points[1200:], labels[1200:]
class CenterLoss(nn.Module):
    def __init__(self, classes, dim):
        super().__init__()
        self.centers = nn.Parameter(torch.randn(classes, dim))
    def forward(self, features, y):
        return ((features - self.centers[y]) ** 2).sum(1).mean()
body, head = nn.Sequential(nn.Linear(10, 16), nn.Tanh()), nn.Linear(16, 4)
center = CenterLoss(4, 16)
params = [*body.parameters(), *head.parameters(), *center.parameters()]
optimizer = torch.optim.SGD(params, lr=0.05)
for epoch in range(3):
    for x, y in train_loader:
        optimizer.zero_grad()
        f = body(x)
        loss = F.cross_entropy(head(f), y) + 0.01 * center(f, y)
        loss.backward()
        optimizer.step()
    print(loss.item())
model = nn.Sequential(body, head)
model.eval()
with torch.no_grad():
    print(f"result: {(model(test_x).argmax(dim=1) == test_y).float().mean().item():.4f}")
