import torch
from torch import nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(17)
time = torch.linspace(0, 6.28, 14)
Y = torch.randint(0, 4, (1300,))
wave = torch.sin(time[None] * (Y[:, None] + 1) + 3.0 * torch.rand(1300, 1))
X = torch.stack([wave, wave.roll(1, 1), torch.randn(1300, 14)], dim=2) + 0.15 * torch.randn(1300, 14, 3)
Xtr, Ytr, Xte, Yte = X[:1000], Y[:1000], X[1000:], Y[1000:]

class Attend(nn.Module):
    def __init__(self):
        super().__init__()
        self.score = nn.Linear(24, 1)
        self.rnn = nn.GRU(3, 24, batch_first=True)
        self.fc = nn.Linear(24, 4)
    def forward(self, x):
        states, _ = self.rnn(x)
        w = F.softmax(self.score(states), dim=0)
        return self.fc((w * states).sum(1))
net = Attend()
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

