import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

torch.manual_seed(26)
SIDE = 12


def flames(n):
    """Small pictures of a burner: a bright, skewed blob that grows and leans."""
    yy, xx = torch.meshgrid(torch.linspace(-1, 1, SIDE), torch.linspace(-1, 1, SIDE), indexing="ij")
    lean, height, width, power = torch.rand(4, n, 1, 1)
    rise = (yy + 1) / 2
    centre = (lean - 0.5) * 1.4 * rise
    body = torch.exp(-((xx - centre) / (0.25 + 0.35 * width)) ** 2) * torch.sigmoid(8 * (0.3 + 0.7 * height - rise))
    return ((0.5 + power) * body + 0.03 * torch.randn(n, SIDE, SIDE)).flatten(1)


class TiedAutoencoder(nn.Module):
    """The decoder reuses the encoder's matrices, transposed."""

    def __init__(self, d_in, d_mid, d_code):
        super().__init__()
        self.w1 = nn.Parameter(torch.randn(d_mid, d_in) * math.sqrt(1 / d_in))
        self.w2 = nn.Parameter(torch.randn(d_code, d_mid) * math.sqrt(1 / d_mid))

    def encode(self, x):
        return F.linear(F.elu(F.linear(x, self.w1)), self.w2)

    def decode(self, z):
        return F.linear(F.elu(F.linear(z, self.w2.t())), self.w1.t())

    def forward(self, x):
        return self.decode(self.encode(x))


train, test = flames(2400), flames(600)
lo, hi = train.min(), train.max()
train, test = (train - lo) / (hi - lo), (test - lo) / (hi - lo)
spread = train.std()

net = TiedAutoencoder(SIDE * SIDE, 128, 6)
optimizer = torch.optim.Adam(net.parameters(), lr=1.5e-3)
loader = DataLoader(train, batch_size=80, shuffle=True)

net.train()
for epoch in range(20):
    total = 0.0
    for batch in loader:
        loss = F.mse_loss(net(batch), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
    if epoch % 4 == 0:
        print(f"epoch {epoch}: reconstruction mse {total / len(train):.5f}")

net.eval()
with torch.no_grad():
    error = F.mse_loss(net(test), test).sqrt() / spread
print(f"result: {error.item():.4f}")
