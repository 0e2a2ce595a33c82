import torch
from torch import nn
from torch.amp import GradScaler, autocast

torch.manual_seed(16)

# a torus and a ball in space
n = 900
u, v = torch.rand(2, n) * 6.2832
torus = torch.stack([(2 + 0.5 * v.cos()) * u.cos(), (2 + 0.5 * v.cos()) * u.sin(), 0.5 * v.sin()], 1)
ball = torch.randn(n, 3) * 0.8
inputs = torch.cat([torus + 0.1 * torch.randn(n, 3), ball])
targets = torch.cat([torch.zeros(n), torch.ones(n)]).long()
mixed = torch.randperm(2 * n)
inputs, targets = inputs[mixed], targets[mixed]
train_inputs, test_inputs = inputs[:1400], inputs[1400:]
train_targets, test_targets = targets[:1400], targets[1400:]

net = nn.Sequential(nn.Linear(3, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 2))
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
scaler = GradScaler("cpu")

for epoch in range(4):
    loss_sum = 0.0
    for rows in torch.randperm(1400).split(35):
        optimizer.zero_grad()
        with autocast("cpu", dtype=torch.bfloat16):
            scores = net(train_inputs[rows])
            loss = nn.functional.cross_entropy(scores, train_targets[rows])
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        loss_sum += loss.item()
    print(f"epoch {epoch}: {loss_sum / 40:.6f}")

net.eval()
with torch.no_grad():
    hit_rate = (net(test_inputs).argmax(1) == test_targets).float().mean()
print(f"result: {hit_rate.item():.4f}")
