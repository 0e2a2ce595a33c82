import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(7)
SIZE = 32

def microscope(n):
    yy, xx = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    mask = torch.zeros(n, SIZE, SIZE, dtype=torch.bool)
    for _ in range(4):
        cy, cx = torch.rand(2, n, 1, 1) * SIZE
        ry, rx = 3 + 3 * torch.rand(2, n, 1, 1)
        mask |= ((yy - cy) / ry) ** 2 + ((xx - cx) / rx) ** 2 < 1
    dish = 40 * torch.rand(n, 1, 1) + 60
    image = dish + 35 * mask + 18 * torch.randn(n, SIZE, SIZE)
    return image.unsqueeze(1), mask.unsqueeze(1).float()

def conv(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True))

class MiniUNet(nn.Module):
    def __init__(self, w=10):
        super().__init__()
        self.down1, self.down2 = conv(1, w), conv(w, 2 * w)
        self.middle = conv(2 * w, 2 * w)
        self.up = nn.ConvTranspose2d(2 * w, w, 2, stride=2)
        self.merge = conv(2 * w, w)
        self.head = nn.Conv2d(w, 1, 1)

    def forward(self, x):
        a = self.down1(x)
        b = self.middle(self.down2(F.max_pool2d(a, 2)))
        return self.head(self.merge(torch.cat([self.up(b), a], dim=1)))

images, masks = microscope(900)
train_images, test_images = images[:700], images[700:]
train_masks, test_masks = masks[:700], masks[700:]
mean, std = train_images.mean(), train_images.std()
train_images = (train_images - mean) / std
test_images = (test_images - mean) / std

net = MiniUNet()
optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3)
for epoch in range(8):
    net.train()
    running = 0.0
    for rows in torch.randperm(len(train_images)).split(35):
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(net(train_images[rows]), train_masks[rows])
        loss.backward()
        optimizer.step()
        running += loss.item() * len(rows)
    print("epoch", epoch, "bce", round(running / len(train_images), 4))

net.eval()
overlap = union = 0.0
with torch.no_grad():
    for image, mask in zip(test_images.split(50), test_masks.split(50)):
        found = torch.sigmoid(net(image)) > 0.5
        overlap += (found & mask.bool()).sum().item()
        union += (found | mask.bool()).sum().item()
print(f"result: {overlap / union:.4f}")
