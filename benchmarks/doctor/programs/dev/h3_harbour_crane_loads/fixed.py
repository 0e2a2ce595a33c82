# %%
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(19)

# %%
# motor current while the crane lifts: 4 kinds of load, 3 phases, 64 samples
def lift(n):
    kind = torch.randint(4, (n,))
    t = torch.linspace(0, 1, 64)
    rise = torch.tensor([4.0, 7.0, 11.0, 16.0])[kind].view(n, 1, 1) * (1 + 0.08 * torch.randn(n, 1, 1))
    sway = torch.tensor([2.0, 5.0, 3.0, 6.0])[kind].view(n, 1, 1)
    shift = torch.rand(n, 3, 1)
    current = 1 - torch.exp(-rise * t) + 0.25 * torch.sin(6.28 * (sway * t + shift)) * torch.exp(-2 * t)
    return current + 0.25 * torch.randn(n, 3, 64), kind


x_train, y_train = lift(2000)
x_test, y_test = lift(500)
level, spread = x_train.mean(), x_train.std()
x_train, x_test = (x_train - level) / spread, (x_test - level) / spread

# %%
train_loader = DataLoader(TensorDataset(x_train, y_train), batch_size=50, shuffle=True)
test_loader = DataLoader(TensorDataset(x_test, y_test), batch_size=50)

# %%
signal, kind = next(iter(train_loader))
print(signal.shape, kind[:8])

# %%
class CraneNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(3, 32, 7, padding=3)
        self.conv2 = nn.Conv1d(32, 48, 5, padding=2)
        self.pool = nn.MaxPool1d(2)
        self.fc = nn.Linear(48 * 16, 4)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        return self.fc(x.flatten(1))


model = CraneNet()
criterion = nn.CrossEntropyLoss()
optimizer = optim.NAdam(model.parameters(), lr=1e-3)

# %%
for epoch in range(11):
    model.train()
    running_loss = 0.0
    for batch_signal, batch_kind in train_loader:
        optimizer.zero_grad()
        out = model(batch_signal)
        loss = criterion(out, batch_kind)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
    print(f"epoch {epoch + 1}: {running_loss / len(train_loader):.6f}")

# %%
model.eval()
correct = total = 0
with torch.no_grad():
    for x, y in test_loader:
        correct += (model(x).argmax(1) == y).sum().item()
        total += len(y)
print(f"result: {correct / total:.4f}")
