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
class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(10, 24), nn.Linear(24, 4)
    def forward(self, x):
        return self.b(torch.relu(self.a(x)))
def train(model, loader, epochs=3):
    opt = torch.optim.Adam(model.parameters(), lr=1e-2)
    for ep in range(epochs):
        for x, y in loader:
            opt.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            opt.step
        print(ep, loss.item())
model = MLP()
train(model, train_loader)
model.eval()
with torch.no_grad():
    print(f"result: {(model(test_x).argmax(dim=1) == test_y).float().mean().item():.4f}")
