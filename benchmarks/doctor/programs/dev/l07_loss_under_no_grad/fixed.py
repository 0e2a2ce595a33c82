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
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(10, 32), nn.Linear(32, 4)
    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x)))
model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
def compute_loss(x, y):
    loss = F.cross_entropy(model(x), y)
    return loss
for epoch in range(3):
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = compute_loss(x, y)
        loss.backward()
        optimizer.step()
    print(loss.item())
model.eval()
with torch.no_grad():
    print(f"result: {(model(test_x).argmax(dim=1) == test_y).float().mean().item():.4f}")
