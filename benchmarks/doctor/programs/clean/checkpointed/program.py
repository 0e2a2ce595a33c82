import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


class Deep(nn.Module):
    def __init__(self, depth=5):
        super().__init__()
        self.first = nn.Linear(12, 32)
        self.blocks = nn.ModuleList([nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 32), nn.GELU()) for _ in range(depth)])
        self.last = nn.Linear(32, 5)

    def forward(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = x + (checkpoint(block, x, use_reentrant=False) if self.training else block(x))
        return self.last(x)


torch.manual_seed(68)
y = torch.randint(0, 5, (1400,))
centre = 1.5 * torch.randn(5, 2, 12)
x = centre[y, torch.randint(0, 2, (1400,))] + torch.randn(1400, 12)
net = Deep()
opt = torch.optim.Adam(net.parameters(), lr=3e-3)
for epoch in range(3):
    net.train()
    total = 0.0
    for rows in torch.randperm(1100).split(44):
        loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() / 25
    print(f"epoch {epoch} loss {total:.6f}")
net.eval()
with torch.no_grad():
    print(f"result: {(net(x[1100:]).argmax(1) == y[1100:]).float().mean().item():.4f}")
