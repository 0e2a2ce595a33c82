import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

np.random.seed(9)
torch.manual_seed(9)

# six clusters in five dimensions
centres = np.random.uniform(-2.0, 2.0, size=(6, 5))
group = np.random.randint(0, 6, size=2200)
inputs = torch.tensor(centres[group] + 0.8 * np.random.randn(2200, 5), dtype=torch.float32)
targets = torch.tensor(group, dtype=torch.long)
tr, te = slice(0, 1700), slice(1700, 2200)


class Tower(nn.Module):
    def __init__(self, n_out):
        super().__init__()
        self.l1 = nn.Linear(5, 50)
        self.l2 = nn.Linear(50, 50)
        self.top = nn.Linear(50, n_out)

    def forward(self, x):
        h = torch.relu(self.l2(torch.relu(self.l1(x))))
        return F.softmax(self.top(h), dim=1)


tower = Tower(n_out=2)
optim = torch.optim.RMSprop(tower.parameters(), lr=1e-3)
tower.top = nn.Linear(50, 6)

for epoch in range(6):
    shuffled = torch.randperm(1700)
    losses = []
    for k in range(0, 1700, 34):
        pick = shuffled[k:k + 34]
        optim.zero_grad()
        loss = F.cross_entropy(tower(inputs[tr][pick]), targets[tr][pick])
        loss.backward()
        optim.step()
        losses.append(loss.item())
    print("epoch %d loss %.6f" % (epoch, np.mean(losses)))

with torch.no_grad():
    guessed = tower(inputs[te]).argmax(dim=1)
print("result: %.4f" % (guessed == targets[te]).float().mean().item())
