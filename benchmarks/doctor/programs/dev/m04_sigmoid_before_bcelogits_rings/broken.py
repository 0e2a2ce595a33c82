import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

np.random.seed(0)
torch.manual_seed(0)

# points on two rings, radius 1 and radius 2
N = 1400
theta = np.random.uniform(0, 2 * np.pi, N)
outer = np.random.randint(0, 2, N)
radius = 1.0 + outer + np.random.normal(0, 0.22, N)
points = np.c_[radius * np.cos(theta), radius * np.sin(theta)]

x = torch.tensor(points, dtype=torch.float32)
t = torch.tensor(outer, dtype=torch.float32).view(-1, 1)
x_train, t_train = x[:1100], t[:1100]
x_test, t_test = x[1100:], t[1100:]

net = nn.Sequential(nn.Linear(2, 20), nn.ReLU(), nn.Linear(20, 20), nn.ReLU(), nn.Linear(20, 1))
optimizer = torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=1e-3)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=0.5)

BATCH = 44
for epoch in range(10):
    scheduler.step()
    perm = np.random.permutation(len(x_train))
    losses = []
    for i in range(0, len(perm), BATCH):
        rows = perm[i:i + BATCH]
        z = net(x_train[rows])
        loss = F.binary_cross_entropy_with_logits(torch.sigmoid(z), t_train[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch + 1:2d}: {np.mean(losses):.6f}")

with torch.no_grad():
    inside = torch.sigmoid(net(x_test)) > 0.5
    accuracy = (inside.float() == t_test).float().mean()
print(f"result: {accuracy.item():.4f}")
