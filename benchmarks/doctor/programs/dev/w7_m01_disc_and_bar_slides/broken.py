# %%
import torch
import torch.nn as nn

torch.manual_seed(19)

# %%
def make_slides(n, seed):
    """Grey slides of 24 x 24 pixels with one disc and one bar; mask: 0 ground, 1 disc, 2 bar."""
    g = torch.Generator().manual_seed(seed)
    u = lambda lo, hi: lo + (hi - lo) * torch.rand(n, 1, 1, generator=g)
    yy, xx = torch.meshgrid(torch.arange(24.0), torch.arange(24.0), indexing="ij")
    disc = (xx - u(5, 19)) ** 2 + (yy - u(5, 19)) ** 2 < u(3, 6) ** 2
    bar = ((xx - u(2, 22)).abs() < u(1.5, 3)) & ((yy - u(6, 18)).abs() < u(5, 9))
    mask = torch.zeros(n, 24, 24, dtype=torch.long)
    mask[disc] = 1
    mask[bar] = 2
    tone = torch.tensor([0.25, 0.55, 0.7])[mask] * u(0.8, 1.2)
    return (tone + 0.1 * torch.randn(n, 24, 24, generator=g)).unsqueeze(1), mask


train_x, train_y = make_slides(800, seed=1)
test_x, test_y = make_slides(200, seed=2)
mu, sigma = train_x.mean(), train_x.std()
train_x, test_x = (train_x - mu) / sigma, (test_x - mu) / sigma

# %%
def double_conv(cin, cout):
    return nn.Sequential(
        nn.Conv2d(cin, cout, 3, padding=1, bias=False), nn.BatchNorm2d(cout), nn.ReLU(inplace=True),
        nn.Conv2d(cout, cout, 3, padding=1, bias=False), nn.BatchNorm2d(cout), nn.ReLU(inplace=True),
    )


class MiniUNet(nn.Module):
    def __init__(self, classes=3):
        super().__init__()
        self.left = double_conv(1, 10)
        self.bottom = double_conv(10, 20)
        self.right = double_conv(30, 10)
        self.pool = nn.MaxPool2d(2)
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.outc = nn.Conv2d(10, classes, 1)

    def forward(self, x):
        skip = self.left(x)
        deep = self.up(self.bottom(self.pool(skip)))
        return {"out": self.outc(self.right(torch.cat([skip, deep], dim=1))).softmax(dim=1)}


unet = MiniUNet()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.RMSprop(unet.parameters(), lr=2e-3)

# %%
for epoch in range(5):
    unet.train()
    epoch_loss = 0.0
    for rows in torch.randperm(len(train_x)).split(20):
        masks_pred = unet(train_x[rows])["out"]
        loss = criterion(masks_pred, train_y[rows])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() * len(rows)
    print(f"epoch {epoch}: {epoch_loss / len(train_x):.4f}")

# %%
unet.eval()
with torch.no_grad():
    guess = torch.cat([unet(part)["out"].argmax(1) for part in test_x.split(50)])
print(f"result: {(guess == test_y).float().mean().item():.4f}")
