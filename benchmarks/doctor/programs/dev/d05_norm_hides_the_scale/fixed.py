import math

import torch
from torch import nn

torch.manual_seed(21)
SIZE = 16


def picture(kind):
    """Grey picture of a disc, a square or a cross, values 0 to 255."""
    yy, xx = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    cy, cx = (torch.rand(2) * 6 + 5).tolist()
    r = 3 + 2 * torch.rand(1).item()
    if kind == 0:
        mask = torch.hypot(yy - cy, xx - cx) < r
    elif kind == 1:
        mask = torch.maximum((yy - cy).abs(), (xx - cx).abs()) < r * math.sqrt(math.pi) / 2
    else:
        mask = torch.minimum((yy - cy).abs(), (xx - cx).abs()) < 1
    return 40 + 30 * torch.randn(SIZE, SIZE) + 140 * mask


def draw(n):
    kinds = torch.randint(0, 3, (n,))
    pictures = torch.stack([picture(k) for k in kinds.tolist()]).clamp(0, 255)
    return pictures.unsqueeze(1) / 255, kinds


train_x, train_y = draw(1200)
test_x, test_y = draw(300)

net = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1, bias=False),
    nn.BatchNorm2d(8, eps=1e-8),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(8, 16, 3, padding=1),
    nn.BatchNorm2d(16),
    nn.ReLU(),
    nn.AdaptiveMaxPool2d(2),
    nn.Flatten(),
    nn.Linear(64, 3),
)
optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)

for epoch in range(6):
    net.train()
    history = []
    for idx in torch.randperm(1200).split(30):
        loss = nn.functional.cross_entropy(net(train_x[idx]), train_y[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.item())
    scheduler.step()
    print(f"{epoch} {sum(history) / len(history):.6f}")

net.eval()
with torch.no_grad():
    hit = (net(test_x).argmax(1) == test_y).float()
print(f"result: {hit.mean():.4f}")
