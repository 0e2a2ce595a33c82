import numpy
import torch
from torch import nn

torch.manual_seed(0)
r = numpy.random.RandomState(4)
a = r.randn(1500, 9)
b = (a[:, :3].sum(1) > 0) * 1.0
x, t = map(torch.from_numpy, (a.astype('float32'), b.astype('float32')))
kind = x.dtype
net = nn.Sequential(nn.Linear(9, 50), nn.ReLU(), nn.Linear(50, 1)).to(kind)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(6):
    for rows in torch.randperm(1200).split(40):
        loss = nn.functional.binary_cross_entropy_with_logits(net(x[rows]).squeeze(1), t[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
with torch.no_grad():
    good = ((net(x[1200:]).squeeze(1) > 0) == (t[1200:] > 0.5)).float().mean()
print(f"result: {good:.4f}")
