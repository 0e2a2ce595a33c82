# %%
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(1010)

# %%
# three owls: tawny (rising), barn (falling), scops (short pips)
def clips(n, length=128):
    owl = torch.randint(0, 3, (n,))
    t = torch.linspace(0, 1, length)
    base = 6 + 5 * torch.rand(n, 1)
    sweep = 4 * torch.stack([torch.ones(n), -torch.ones(n), torch.zeros(n)])[owl, torch.arange(n)][:, None]
    phase = 2 * math.pi * torch.rand(n, 1)
    call = torch.sin(2 * math.pi * (base * t + sweep * t**2 / 2) + phase)
    pips = (torch.sin(2 * math.pi * 3 * t + phase) > 0.2).float()
    call = torch.where(owl[:, None] == 2, call * pips, call)
    return (call + 0.9 * torch.randn(n, length))[:, None], owl


train_clips, train_owl = clips(640)
test_clips, test_owl = clips(600)
train_dl = DataLoader(TensorDataset(train_clips, train_owl), batch_size=32, shuffle=True)
test_dl = DataLoader(TensorDataset(test_clips, test_owl), batch_size=100)


# %%
class OwlNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv1d(1, 16, 9, stride=2, padding=4)
        self.n1 = nn.BatchNorm1d(16)
        self.c2 = nn.Conv1d(16, 32, 5, stride=2, padding=2)
        self.n2 = nn.BatchNorm1d(32)
        self.c3 = nn.Conv1d(32, 32, 5, stride=2, padding=2)
        self.drop = nn.Dropout(0.4)
        self.fc = nn.Linear(64, 3)

    def forward(self, x):
        x = F.relu(self.n1(self.c1(x)))
        x = F.relu(self.n2(self.c2(x)))
        x = F.relu(self.c3(x))
        x = torch.cat([x.mean(2), x.amax(2)], dim=1)
        return self.fc(self.drop(x))


net = OwlNet()

# %%
# does one clip go through?
net.eval()
with torch.no_grad():
    print("one clip gives", tuple(net(train_clips[:1]).shape))

# %%
opt = torch.optim.RMSprop(net.parameters(), lr=1e-3)
net.train()
for epoch in range(16):
    right, loss_sum = 0, 0.0
    for x, owl in train_dl:
        logits = net(x)
        loss = F.cross_entropy(logits, owl)
        opt.zero_grad()
        loss.backward()
        opt.step()
        loss_sum += loss.item() * len(owl)
        right += (logits.argmax(1) == owl).sum().item()
    if epoch % 3 == 0:
        print(f"epoch {epoch:2d}: loss {loss_sum / 640:.3f}, right {right / 640:.3f}")

# %%
net.eval()
right = 0
with torch.no_grad():
    for x, owl in test_dl:
        right += (net(x).argmax(1) == owl).sum().item()
print(f"owls named rightly at night: {right / len(test_owl):.3f}")
