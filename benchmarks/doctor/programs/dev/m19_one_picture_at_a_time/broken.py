import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)

# Denoise small height maps (a U-shaped network, after a segmentation tutorial)
cfg = dict(n_train=240, n_test=80, side=16, epochs=3, batch_size=1, lr=3e-3)


def height_maps(n, side):
    coarse = torch.randn(n, 1, 4, 4)
    smooth = nn.functional.interpolate(coarse, size=(side, side), mode="bicubic", align_corners=False)
    level = 1.2 * torch.randn(n, 1, 1, 1)
    clean = smooth + level
    return clean + 0.6 * torch.randn_like(clean), clean


def double_conv(cin, cout):
    return nn.Sequential(
        nn.Conv2d(cin, cout, 3, padding=1), nn.BatchNorm2d(cout), nn.ReLU(inplace=True),
        nn.Conv2d(cout, cout, 3, padding=1), nn.BatchNorm2d(cout), nn.ReLU(inplace=True),
    )


class MiniUNet(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.enc1 = double_conv(1, width)
        self.enc2 = double_conv(width, 2 * width)
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.dec = double_conv(2 * width, width)
        self.last = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        a = self.enc1(x)
        b = self.enc2(self.pool(a))
        return self.last(self.dec(torch.cat([a, self.up(b)], dim=1)))


train_ds = TensorDataset(*height_maps(cfg["n_train"], cfg["side"]))
test_ds = TensorDataset(*height_maps(cfg["n_test"], cfg["side"]))
train_dl = DataLoader(train_ds, batch_size=cfg["batch_size"], shuffle=True)
test_dl = DataLoader(test_ds, batch_size=20)

unet = MiniUNet()
optimizer = torch.optim.Adam(unet.parameters(), lr=cfg["lr"])
l2 = nn.MSELoss()

for epoch in range(cfg["epochs"]):
    unet.train()
    run = 0.0
    for noisy, clean in train_dl:
        optimizer.zero_grad()
        loss = l2(unet(noisy), clean)
        loss.backward()
        optimizer.step()
        run += loss.item() * len(noisy)
    print(f"epoch {epoch} mse {run / len(train_ds):.4f}")

unet.eval()
sse = sst = 0.0
with torch.no_grad():
    for noisy, clean in test_dl:
        sse += ((unet(noisy) - clean) ** 2).sum().item()
        sst += (clean ** 2).sum().item()
print(f"share of the signal explained: {1 - sse / sst:.4f}")
