# %%
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(9)
rng = np.random.default_rng(9)
LINKS = np.array([0.8, 0.6, 0.4])
PENALTY = 1e-6

# %%
joint = rng.uniform(-np.pi / 2, np.pi / 2, size=(5000, 3))
heading = joint.cumsum(axis=1)
reach = np.stack([(LINKS * np.cos(heading)).sum(1), (LINKS * np.sin(heading)).sum(1)], axis=1)
reach += rng.normal(scale=0.01, size=reach.shape)

# %%
split = 4000
joint = (joint - joint[:split].mean(0)) / joint[:split].std(0)
reach = (reach - reach[:split].mean(0)) / reach[:split].std(0)
angles = torch.tensor(joint[:split], dtype=torch.float32)
tip = torch.tensor(reach[:split], dtype=torch.float32)
angles_test = torch.tensor(joint[split:], dtype=torch.float32)
tip_test = torch.tensor(reach[split:], dtype=torch.float32)

# %%
class Arm(nn.Module):
    def __init__(self, width=96):
        super().__init__()
        self.a = nn.Linear(3, width)
        self.b = nn.Linear(width, width)
        self.c = nn.Linear(width, 2)

    def forward(self, q):
        h = torch.tanh(self.a(q))
        return self.c(torch.tanh(self.b(h)))


arm = Arm()
optimizer = torch.optim.Adam(arm.parameters(), lr=3e-3)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=8, gamma=0.3)

# %%
for epoch in range(20):
    arm.train()
    seen = 0.0
    for rows in torch.randperm(split).split(80):
        size = sum(p.pow(2).sum() for p in arm.parameters())
        loss = F.mse_loss(arm(angles[rows]), tip[rows]) + PENALTY * size
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen += loss.item() * len(rows)
    scheduler.step()
    if epoch % 5 == 4:
        print(epoch + 1, round(seen / split, 5))

# %%
arm.eval()
with torch.no_grad():
    rmse = F.mse_loss(arm(angles_test), tip_test).sqrt().item()
print(f"result: {rmse:.4f}")
