import torch
from torch import nn


class EdgeFinder(nn.Module):
    """Sobel filters; says whether the edge in the picture is upright (1) or level (0)."""

    def __init__(self):
        super().__init__()
        self.filters = nn.Conv2d(1, 2, 3, bias=False)
        sobel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
        with torch.no_grad():
            self.filters.weight.copy_(torch.stack([sobel.t(), sobel]).unsqueeze(1))

    def forward(self, x):
        return self.filters(x).abs().mean(dim=(2, 3))


def pictures(n):
    upright = torch.randint(0, 2, (n,))
    x = torch.zeros(n, 1, 16, 16)
    for i in range(n):
        at = int(torch.randint(4, 12, ()))
        if upright[i]:
            x[i, 0, :, at:] = 1
        else:
            x[i, 0, at:, :] = 1
    return x + 0.5 * torch.randn_like(x), upright


torch.manual_seed(83)
model = EdgeFinder().eval()
hits = 0
with torch.no_grad():
    for _ in range(60):
        x, upright = pictures(20)
        hits += (model(x).argmax(1) == upright).sum().item()
print(f"result: {hits / 1200:.4f}")
