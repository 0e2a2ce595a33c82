import math
import torch
from torch import nn

STEPS = 40


class Denoiser(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.time = nn.Embedding(STEPS, width)
        self.enter = nn.Linear(2, width)
        self.body = nn.Sequential(nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 2))

    def forward(self, x, t):
        return self.body(self.enter(x) + self.time(t))


class Diffusion:
    def __init__(self, model):
        self.model = model
        self.beta = torch.linspace(1e-3, 0.2, STEPS)
        self.alpha = 1 - self.beta
        self.signal = torch.cumprod(self.alpha, 0)

    def loss(self, x):
        t = torch.randint(0, STEPS, (len(x),))
        noise = torch.randn_like(x)
        keep = self.signal[t].unsqueeze(1)
        return nn.functional.mse_loss(self.model(keep.sqrt() * x + (1 - keep).sqrt() * noise, t), noise)

    @torch.no_grad()
    def sample(self, n):
        self.model.eval()
        x = torch.randn(n, 2)
        for t in reversed(range(STEPS)):
            noise = self.model(x, torch.full((n,), t))
            x = (x - self.beta[t] / (1 - self.signal[t]).sqrt() * noise) / self.alpha[t].sqrt()
            if t > 0:
                x = x + self.beta[t].sqrt() * torch.randn_like(x)
        return x


def ring(n):
    angle = 2 * math.pi * torch.rand(n)
    return torch.stack([angle.cos(), angle.sin()], 1) * 1.3 + 0.05 * torch.randn(n, 2)


torch.manual_seed(17)
points = ring(2000)
diffusion = Diffusion(Denoiser())
optimizer = torch.optim.AdamW(diffusion.model.parameters(), lr=4e-3)
for epoch in range(24):
    total = 0.0
    for rows in torch.randperm(2000).split(50):
        loss = diffusion.loss(points[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    if epoch % 4 == 3:
        print(f"epoch {epoch + 1} loss {total / 40:.6f}")
made = diffusion.sample(500)
print(f"result: {((made.norm(dim=1) - 1.3).abs() < 0.35).float().mean().item():.4f}")
