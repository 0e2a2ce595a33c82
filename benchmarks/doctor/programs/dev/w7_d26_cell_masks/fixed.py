import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(2)
rng = np.random.default_rng(2)

N, SIDE, KINDS = 500, 28, 5
levels = np.linspace(0, 255, KINDS).astype(np.uint8)
rows, cols = np.mgrid[:SIDE, :SIDE]
shine = np.array([0.1, 0.35, 0.6, 0.8, 1.0])

scans = np.zeros((N, SIDE, SIDE), dtype=np.float32)
masks = np.zeros((N, SIDE, SIDE), dtype=np.uint8)
for i in range(N):
    kind_map = np.zeros((SIDE, SIDE), dtype=int)
    for kind in rng.permutation(np.arange(1, KINDS)):
        r, c = rng.integers(4, SIDE - 4, size=2)
        a, b = rng.uniform(3, 7, size=2)
        kind_map[((rows - r) / a) ** 2 + ((cols - c) / b) ** 2 < 1] = kind
    masks[i] = levels[kind_map]
    scans[i] = shine[kind_map] + rng.normal(scale=0.09, size=(SIDE, SIDE))

x = torch.from_numpy(scans).unsqueeze(1)
y = torch.from_numpy(masks).float() / 255
y = (y * (KINDS - 1)).round().long()

cut = 400
mean, std = x[:cut].mean(), x[:cut].std()
x = (x - mean) / std
x_train, y_train, x_test, y_test = x[:cut], y[:cut], x[cut:], y[cut:]


class SmallUNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.ReLU())
        self.deep = nn.Sequential(nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(),
                                  nn.Conv2d(24, 24, 3, padding=1), nn.ReLU())
        self.out = nn.Conv2d(36, KINDS, 1)

    def forward(self, img):
        fine = self.down(img)
        coarse = self.deep(F.max_pool2d(fine, 2))
        coarse = F.interpolate(coarse, scale_factor=2, mode="nearest")
        return self.out(torch.cat([fine, coarse], dim=1))


net = SmallUNet()
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for epoch in range(14):
    net.train()
    shown = 0.0
    for pick in torch.randperm(cut).split(32):
        opt.zero_grad()
        loss = F.cross_entropy(net(x_train[pick]), y_train[pick])
        loss.backward()
        opt.step()
        shown += loss.item() * len(pick)
    print(f"epoch {epoch}  loss {shown / cut:.4f}")

net.eval()
with torch.no_grad():
    right = sum((net(a).argmax(1) == b).sum().item() for a, b in zip(x_test.split(50), y_test.split(50)))
print(f"result: {right / y_test.numel():.4f}")
