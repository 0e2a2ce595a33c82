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

class Tagger(nn.Module):
    """a class for each moment: (B, T, F) -> (B, T, C)"""
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(3, 24, batch_first=True)
        self.out = nn.Linear(24, 4)
    def forward(self, x):
        h, _ = self.rnn(x)
        return self.out(h)
net = Tagger()
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(4):
    for xb, yb in DataLoader(TensorDataset(Xtr, Ytr), batch_size=50, shuffle=True):
        logits = net(xb)
        probs = logits.exp() / logits.exp().sum(-1, keepdim=True)
        loss = F.cross_entropy(probs.transpose(1, 2), yb[:, None].expand(-1, 14))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
net.eval()
with torch.no_grad():
    print(f"result: {(net(Xte)[:, -1].argmax(-1) == Yte).float().mean().item():.4f}")
