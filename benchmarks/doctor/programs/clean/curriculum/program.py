import torch
from torch import nn

torch.manual_seed(19)
N, L = 1600, 30
noise = torch.rand(N) * 1.0
kind = torch.randint(0, 4, (N,))
t = torch.linspace(-1, 1, L)
shapes = torch.stack([torch.sin(5 * t), torch.sign(t), t.abs() * 2 - 1, 1.5 * torch.exp(-8 * t ** 2) - 0.5])
signal = shapes[kind] + noise[:, None] * torch.randn(N, L)
test_kind = torch.randint(0, 4, (400,))
test_signal = shapes[test_kind] + 0.5 * torch.randn(400, L)

from_easy_to_hard = noise.argsort()
net = nn.Sequential(nn.Linear(L, 48), nn.ReLU(), nn.Linear(48, 4))
opt = torch.optim.Adam(net.parameters(), lr=0.003)
loss_fn = nn.CrossEntropyLoss()
for epoch in range(8):
    share = min(1.0, 0.3 + 0.15 * epoch)
    pool = from_easy_to_hard[: int(share * N)]
    total = 0.0
    parts = pool.split(40)
    for part in parts:
        opt.zero_grad()
        loss = loss_fn(net(signal[part]), kind[part])
        loss.backward()
        opt.step()
        total += loss.item()
    print(f"epoch {epoch} share {share:.2f} loss {total / len(parts):.6f}")
with torch.no_grad():
    print(f"result: {(net(test_signal).argmax(1) == test_kind).float().mean().item():.4f}")
