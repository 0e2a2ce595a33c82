import torch
from torch import nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(11)
patterns = torch.randn(6, 1, 8, 8)
Y = torch.randint(0, 6, (1300,))
X = patterns[Y] + 0.9 * torch.randn(1300, 1, 8, 8)
Xtr, Ytr, Xte, Yte = X[:1000], Y[:1000], X[1000:], Y[1000:]

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(1, 8, 3)
        self.f = nn.Linear(288, 32)
        self.o = nn.Linear(32, 6)
        self.f.bias.data.sub_(0.0)
    def forward(self, x):
        h = torch.maximum(self.f(torch.relu(self.c(x)).flatten(1)), torch.tensor(0.0))
        return self.o(h)
net = Net()
criterion = nn.CrossEntropyLoss()
loader = DataLoader(TensorDataset(Xtr, Ytr), batch_size=32, shuffle=True)
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(5):
    net.train()
    total = 0.0
    for inputs, targets in loader:
        optimizer.zero_grad()
        loss = criterion(net(inputs), targets)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(inputs)
    print(f"epoch {epoch}: {total / len(Xtr):.6f}")
net.eval()
with torch.no_grad():
    outputs = net(Xte)
print(f"result: {(outputs.argmax(1) == Yte).float().mean().item():.4f}")

