import torch
from torch import nn
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

SEED = 80
torch.manual_seed(SEED)
y = torch.randint(0, 3, (1500,))
x = torch.randn(1500, 4)
x[:, 0] += 2.2 * (y == 1) - 1.0 * (y == 2)
x[:, 1] += 2.2 * (y == 2)
data, rest = TensorDataset(x[:1200], y[:1200]), (x[1200:], y[1200:])

generator = torch.Generator()
loader = DataLoader(data, batch_size=40, sampler=RandomSampler(data, generator=generator))
net = nn.Sequential(nn.Linear(4, 32), nn.Mish(), nn.Dropout(0.1), nn.Linear(32, 3))
opt = torch.optim.NAdam(net.parameters(), lr=0.005)
for epoch in range(5):
    generator.manual_seed(SEED + epoch)
    net.train()
    total = 0.0
    for xb, yb in loader:
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(xb), yb)
        loss.backward()
        opt.step()
        total += loss.item()
    print(f"epoch {epoch} loss {total / len(loader):.6f}")
net.eval()
with torch.no_grad():
    print(f"result: {(net(rest[0]).argmax(1) == rest[1]).float().mean().item():.4f}")
