import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

torch.manual_seed(71)
label = torch.randint(0, 4, (1500,))
pos = torch.randn(1500, 9)
pos[:, 0] += 3 * torch.cos(label * 1.57)
pos[:, 1] += 3 * torch.sin(label * 1.57)
pos[:, 2:] *= 0.7

net = nn.Sequential(
    weight_norm(nn.Linear(9, 40)),
    nn.ReLU(),
    spectral_norm(nn.Linear(40, 40)),
    nn.ReLU(),
    nn.Linear(40, 4),
)
opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
for epoch in range(4):
    net.train()
    total = 0.0
    for rows in torch.randperm(1200).split(40):
        loss = nn.functional.cross_entropy(net(pos[rows]), label[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item()
    print(f"epoch {epoch} loss {total / 30:.6f}")
net.eval()
with torch.no_grad():
    print(f"result: {(net(pos[1200:]).argmax(1) == label[1200:]).float().mean().item():.4f}")
