import math
import torch
from torch import nn


class MixtureDensity(nn.Module):
    """For each x a mixture of three normal distributions over y."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 9))

    def forward(self, x):
        weight, mean, log_std = self.body(x).chunk(3, dim=1)
        return weight.log_softmax(1), mean, log_std.clamp(-4, 2)

    def negative_log_likelihood(self, x, y):
        weight, mean, log_std = self(x)
        part = weight - 0.5 * ((y - mean) / log_std.exp()) ** 2 - log_std - 0.5 * math.log(2 * math.pi)
        return -part.logsumexp(1).mean()


def branches(n):
    x = torch.rand(n, 1) * 2 - 1
    side = torch.randint(0, 2, (n, 1)) * 2.0 - 1
    return x, side * (0.3 + 0.3 * x) + 0.03 * torch.randn(n, 1)


torch.manual_seed(115)
x, y = branches(2000)
xt, yt = branches(400)
model = MixtureDensity()
opt = torch.optim.Adam(model.parameters(), lr=8e-3)
for epoch in range(8):
    total = 0.0
    for rows in torch.randperm(2000).split(50):
        loss = model.negative_log_likelihood(x[rows], y[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() / 40
    print(f"epoch {epoch} loss {total:.6f}")
with torch.no_grad():
    print(f"result: {-model.negative_log_likelihood(xt, yt).item():.4f}")
