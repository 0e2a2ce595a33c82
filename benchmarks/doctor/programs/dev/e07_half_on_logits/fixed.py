# %%
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(33)

# %%
# mushrooms: ten measurements, eatable or not
X = torch.randn(2000, 10)
w = torch.tensor([1.0, -1.5, 0.8, 0.0, 0.0, 1.2, 0.0, -0.5, 0.3, 0.0])
y = ((X @ w + 0.8 * X[:, 3] * X[:, 4] + 0.5 * torch.randn(2000)) > 0).float().unsqueeze(1)

train_data = TensorDataset(X[:1500], y[:1500])
test_data = TensorDataset(X[1500:], y[1500:])
train_loader = DataLoader(train_data, batch_size=50, shuffle=True)
test_loader = DataLoader(test_data, batch_size=50)

# %%
class MushroomNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stack = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, x):
        return self.stack(x)

net = MushroomNet()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)

# %%
for epoch in range(8):
    net.train()
    total_loss = 0.0
    for inputs, targets in train_loader:
        optimizer.zero_grad()
        outputs = net(inputs)
        loss = criterion(outputs, targets)
        loss.backward()
        optimizer.step()
        total_loss += loss.item() * inputs.size(0)
    print(f"Epoch {epoch + 1}, loss {total_loss / len(train_data):.6f}")

# %%
net.eval()
correct = 0
with torch.no_grad():
    for inputs, targets in test_loader:
        predictions = (torch.sigmoid(net(inputs)) > 0.5).float()
        correct += (predictions == targets).sum().item()
print(f"result: {correct / len(test_data):.4f}")
