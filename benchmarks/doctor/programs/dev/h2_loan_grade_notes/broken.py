# %%
import torch
import torch.nn as nn
import torch.optim as optim

torch.manual_seed(0)

# %%
def make_clients(n):
    income = torch.randn(n)
    debt = torch.randn(n)
    years = torch.rand(n) * 2 - 1
    late = torch.poisson(torch.full((n,), 0.7))
    risk = debt - income + 0.9 * late - years * income + 0.2 * torch.randn(n)
    grade = torch.bucketize(risk, torch.tensor([-0.4, 1.2]))
    return torch.stack([income, debt, years, late], dim=1), grade


X_train, y_train = make_clients(2000)
X_valid, y_valid = make_clients(500)
X_train.shape, y_train.bincount()

# %%
class GradeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(4, 48)
        self.fc2 = nn.Linear(48, 24)
        self.out = nn.Linear(24, 3)
        self.drop = nn.Dropout(0.1)

    def forward(self, x):
        x = torch.relu(self.fc1(x))
        x = self.drop(torch.relu(self.fc2(x)))
        return self.out(x)


net = GradeNet()
criterion = nn.CrossEntropyLoss()
optimizer = optim.RMSprop(net.parameters(), lr=0.002)

# %%
BATCH = 80
for epoch in range(6):
    net.train()
    perm = torch.randperm(X_train.size(0))
    epoch_loss = 0.0
    for b in range(0, X_train.size(0), BATCH):
        idx = perm[b:b + BATCH]
        optimizer.zero_grad()
        outputs = net(X_train[idx])
        loss = criterion(outputs, y_train[idx])
        loss.backward
        optimizer.step()
        epoch_loss += loss.item() * idx.numel()
    print(f"Epoch {epoch + 1} | loss {epoch_loss / X_train.size(0):.6f}")

# %%
net.eval()
with torch.no_grad():
    predicted = net(X_valid).argmax(dim=1)
print(f"result: {(predicted == y_valid).float().mean().item():.4f}")
