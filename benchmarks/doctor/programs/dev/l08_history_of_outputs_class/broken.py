from dataclasses import dataclass, field

import torch
from torch import Tensor, nn


@dataclass
class Log:
    losses: list = field(default_factory=list)
    norms: list = field(default_factory=list)

    def mean_of_last(self, k: int) -> float:
        return float(sum(float(v) for v in self.losses[-k:]) / k)


class Ranker(nn.Module):
    def __init__(self, features: int = 8):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(features, 32), nn.Tanh(), nn.Linear(32, 1))

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return (self.net(a) - self.net(b)).squeeze(1)


def pairs(n: int, taste: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    a, b = torch.randn(2, n, 8)
    better = ((a @ taste).tanh() + a[:, 0] ** 2 > (b @ taste).tanh() + b[:, 0] ** 2).float()
    return a, b, better


torch.manual_seed(19)
taste = torch.randn(8)
a, b, better = pairs(2000, taste)
a2, b2, better2 = pairs(500, taste)
ranker = Ranker()
log = Log()
opt = torch.optim.AdamW(ranker.parameters(), lr=5e-3, weight_decay=1e-3)
for epoch in range(8):
    ranker.train()
    for chosen in torch.randperm(2000).view(40, 50):
        logit = ranker(a[chosen], b[chosen])
        loss = nn.functional.binary_cross_entropy_with_logits(logit, better[chosen])
        opt.zero_grad()
        loss.backward()
        opt.step()
        log.losses.append(loss.item())
        log.norms.append(logit.abs().mean())
    print(f"epoch {epoch} loss {log.mean_of_last(40):.6f} spread {float(log.norms[-1]):.3f}")

ranker.eval()
with torch.no_grad():
    agreed = (ranker(a2, b2) > 0).float() == better2
print(f"result: {agreed.float().mean().item():.4f}")
