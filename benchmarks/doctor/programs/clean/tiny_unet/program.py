import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset, random_split


class Discs(Dataset):
    def __init__(self, count):
        yy, xx = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
        centre = 3 + 10 * torch.rand(count, 2, 1, 1)
        radius = 2 + 2.5 * torch.rand(count, 1, 1)
        inside = (yy - centre[:, 0]) ** 2 + (xx - centre[:, 1]) ** 2 < radius ** 2
        self.masks = inside.float().unsqueeze(1)
        self.images = self.masks + 0.5 * torch.randn(count, 1, 16, 16)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index], self.masks[index]


def double_conv(inputs, outputs):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True),
    )


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down1, self.down2, self.bottom = double_conv(1, 6), double_conv(6, 12), double_conv(12, 24)
        self.pool = nn.MaxPool2d(2)
        self.up2, self.up1 = nn.ConvTranspose2d(24, 12, 2, 2), nn.ConvTranspose2d(12, 6, 2, 2)
        self.merge2, self.merge1 = double_conv(24, 12), double_conv(12, 6)
        self.out = nn.Conv2d(6, 1, 1)

    def forward(self, x):
        a = self.down1(x)
        b = self.down2(self.pool(a))
        c = self.bottom(self.pool(b))
        b = self.merge2(torch.cat([self.up2(c), b], 1))
        a = self.merge1(torch.cat([self.up1(b), a], 1))
        return self.out(a)


def dice(logits, masks):
    guess = (torch.sigmoid(logits) > 0.5).float()
    both = (guess * masks).sum((1, 2, 3))
    return (2 * both + 1) / (guess.sum((1, 2, 3)) + masks.sum((1, 2, 3)) + 1)


torch.manual_seed(11)
train_set, test_set = random_split(Discs(640), [540, 100])
train_loader, test_loader = DataLoader(train_set, batch_size=18, shuffle=True), DataLoader(test_set, batch_size=50)
net = UNet()
optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
criterion = nn.BCEWithLogitsLoss()
for epoch in range(3):
    net.train()
    running = 0.0
    for images, masks in train_loader:
        loss = criterion(net(images), masks)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item()
    print(f"epoch {epoch} loss {running / len(train_loader):.6f}")
net.eval()
scores = []
with torch.no_grad():
    for images, masks in test_loader:
        scores.append(dice(net(images), masks))
print(f"result: {torch.cat(scores).mean().item():.4f}")
