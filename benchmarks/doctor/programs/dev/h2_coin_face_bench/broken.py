# %%
import torch
from torch import nn
import torch.nn.functional as F

_ = torch.manual_seed(71)

# %%
def coins(count):
    """Pictures of 18 x 18: a head is a disc, a tail a ring, a fake a square."""
    yy, xx = torch.meshgrid(torch.arange(18.0), torch.arange(18.0), indexing="ij")
    cy, cx = torch.rand(2, count, 1, 1) * 4 + 7
    far = ((yy - cy) ** 2 + (xx - cx) ** 2).sqrt()
    square = torch.maximum((yy - cy).abs(), (xx - cx).abs())
    kinds = torch.randint(0, 3, (count,))
    shapes = torch.stack([(far < 5).float(), ((far < 6) & (far > 3.5)).float(), (square < 4.5).float()], 1)
    pictures = shapes[torch.arange(count), kinds].unsqueeze(1)
    return pictures - 0.3 + 0.3 * torch.randn_like(pictures), kinds

x_train, y_train = coins(1500)
x_test, y_test = coins(400)

# %%
class CoinNet(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, width, 3), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(width, width, 3), nn.ReLU(), nn.MaxPool2d(2),
        )
        self.top = nn.Linear(width * 9, 3)

    def forward(self, x):
        return self.top(self.features(x).flatten(1))

# %%
net = CoinNet(width=8)
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
print("weights:", sum(p.numel() for p in net.parameters()))

# %%
# eight filters seem few: take more
net = CoinNet(width=24)
print("weights:", sum(p.numel() for p in net.parameters()))

# %%
for epoch in range(6):
    total = 0.0
    for part in torch.randperm(len(x_train)).split(50):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x_train[part]), y_train[part])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(part)
    print(f"epoch {epoch}: {total / len(x_train):.6f}")

# %%
with torch.no_grad():
    right = (net(x_test).argmax(1) == y_test).float().mean().item()
print(f"result: {right:.4f}")
