# %%
import math
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(77)
POINTS = 48
# %%
def sphere():
    v = torch.randn(POINTS, 3)
    return v / v.norm(dim=1, keepdim=True)

def cube():
    v = 2 * torch.rand(POINTS, 3) - 1
    face = torch.randint(0, 3, (POINTS,))
    v[torch.arange(POINTS), face] = torch.randint(0, 2, (POINTS,)).float() * 2 - 1
    return 0.75 * v

def cylinder():
    phi = 2 * math.pi * torch.rand(POINTS)
    return torch.stack([0.8 * phi.cos(), 0.8 * phi.sin(), 2 * torch.rand(POINTS) - 1], 1)

def torus():
    a, b = 2 * math.pi * torch.rand(POINTS), 2 * math.pi * torch.rand(POINTS)
    r = 0.9 + 0.35 * b.cos()
    return torch.stack([r * a.cos(), r * a.sin(), 0.35 * b.sin()], 1)

def scan(n):
    kinds = torch.randint(0, 4, (n,))
    clouds = []
    for k in kinds:
        cloud = [sphere, cube, cylinder, torus][int(k)]()
        turn = torch.linalg.qr(torch.randn(3, 3))[0]
        clouds.append(cloud @ turn * (0.9 + 0.2 * torch.rand(1)) + 0.05 * torch.randn(POINTS, 3))
    return torch.stack(clouds), kinds

train_x, train_y = scan(1500)
test_x, test_y = scan(500)
scale = train_x.std()
train_dl = DataLoader(TensorDataset(train_x / scale, train_y), batch_size=50, shuffle=True)
test_dl = DataLoader(TensorDataset(test_x / scale, test_y), batch_size=125)
# %%
class PointBlock(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.up = nn.Linear(2 * dim, dim)
        self.down = nn.Linear(dim, dim)

    def forward(self, h):
        z = self.norm(h)
        z = torch.cat([z, z.mean(1, keepdim=True).expand_as(z)], -1)
        return h + self.down(torch.relu(self.up(z)))

class PointNet(nn.Module):
    def __init__(self, dim=48, depth=3):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(3, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.blocks = nn.ModuleList([PointBlock(dim) for _ in range(depth)])
        self.head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 4))

    def forward(self, cloud):
        h = self.embed(cloud)
        for block in self.blocks:
            h = block(h)
        return self.head(h.amax(1))

net = PointNet()
opt = torch.optim.AdamW(net.parameters(), lr=2e-3)
epochs = 12
sched = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=3e-3, total_steps=epochs * len(train_dl))
# %%
for epoch in range(epochs):
    net.train()
    total = 0.0
    for cloud, kind in train_dl:
        loss = nn.functional.cross_entropy(net(cloud), kind)
        opt.zero_grad()
        loss.backward()
        opt.step()
        sched.step()
        total += loss.item() * len(kind)
    print(f"{epoch + 1:2d}: {total / len(train_y):.4f}")
# %%
net.eval()
with torch.no_grad():
    right = sum((net(cloud).argmax(1) == kind).sum().item() for cloud, kind in test_dl)
print(f"result: {right / len(test_y):.4f}")
