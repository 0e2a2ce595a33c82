import torch
from torch import nn, Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

import firstlight as fl


class PatchEmbedding(nn.Module):
    def __init__(self, patch: int, width: int):
        super().__init__()
        self.cut = nn.Conv2d(1, width, patch, stride=patch)

    def forward(self, x: Tensor) -> Tensor:
        return self.cut(x).flatten(2).transpose(1, 2)


class Block(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.n1, self.n2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        n = self.n1(x)
        x = x + self.attention(n, n, n, need_weights=False)[0]
        return x + self.mlp(self.n2(x))


class ViT(nn.Module):
    def __init__(self, width: int = 32, depth: int = 1):
        super().__init__()
        self.patches = PatchEmbedding(7, width)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.place = nn.Parameter(0.02 * torch.randn(1, 17, width))
        self.blocks = nn.Sequential(*[Block(width, 4) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], dim=1) + self.place
        return self.head(self.norm(self.blocks(x))[:, 0])


torch.manual_seed(0)
train, test = fl.load("fashion_mnist_small")
images, labels = train[:1600]
model = ViT()
optimizer = torch.optim.AdamW(model.parameters(), lr=6e-3, weight_decay=0.05)
steps = 7 * 32
scheduler = SequentialLR(optimizer, [LinearLR(optimizer, 0.1, total_iters=12), CosineAnnealingLR(optimizer, steps - 12)], milestones=[12])
for epoch in range(7):
    total = 0.0
    for rows in torch.randperm(1600).split(50):
        loss = nn.functional.cross_entropy(model(images[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        total += loss.item()
    print(f"epoch {epoch} loss {total / 32:.6f}")
model.eval()
with torch.no_grad():
    x, y = test[:600]
    print(f"result: {(model(x).argmax(1) == y).float().mean().item():.4f}")
