import torch
from torch import nn

torch.manual_seed(109)
CLASSES = 20
places = 1.6 * torch.randn(CLASSES, 14)
y = torch.randint(0, CLASSES, (2000,))
x = places[y] + 0.9 * torch.randn(2000, 14)
net = nn.Sequential(nn.Linear(14, 64), nn.ReLU(), nn.Linear(64, CLASSES))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(4):
    total = 0.0
    for rows in torch.randperm(2000).split(50):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
        loss.backward()
        opt.step()
        total += loss.item() / 40
    print(f"all classes, epoch {epoch}: {total:.6f}")

wanted = torch.tensor([2, 5, 11, 17])
new_y = wanted[torch.randint(0, 4, (900,))]
turned = places + 0.5 * torch.randn(CLASSES, 14)
new_x = turned[new_y] + 0.9 * torch.randn(900, 14)
opt = torch.optim.Adam(net.parameters(), lr=0.002)
for epoch in range(4):
    total = 0.0
    for rows in torch.randperm(600).split(30):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(new_x[rows]), new_y[rows])
        loss.backward()
        opt.step()
        total += loss.item() / 20
    print(f"four classes, epoch {epoch}: {total:.6f}")
with torch.no_grad():
    print(f"result: {(net(new_x[600:]).argmax(1) == new_y[600:]).float().mean().item():.4f}")
