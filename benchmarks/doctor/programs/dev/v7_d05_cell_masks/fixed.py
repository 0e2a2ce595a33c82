import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


def draw_slides(n, size, seed):
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[:size, :size]
    pictures = np.zeros((n, size, size), np.uint8)
    masks = np.zeros((n, size, size), np.float32)
    for i in range(n):
        canvas = rng.normal(70, 22, (size, size)) + 25 * np.sin(xx / rng.uniform(3, 6))
        for _ in range(rng.integers(1, 4)):
            cy, cx, r = rng.uniform(5, size - 5), rng.uniform(5, size - 5), rng.uniform(3, 6)
            disc = (yy - cy) ** 2 + (xx - cx) ** 2 < r * r
            canvas[disc] += 60
            masks[i][disc] = 1.0
        pictures[i] = canvas.clip(0, 255).astype(np.uint8)
    return pictures, masks


class CellSlides(Dataset):
    def __init__(self, pictures, masks):
        self.pictures, self.masks = pictures, masks

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, i):
        picture = self.pictures[i].astype(np.float32) / 255
        return torch.from_numpy(picture), torch.from_numpy(self.masks[i])


class Segmenter(nn.Module):
    def __init__(self, width=12):
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.deep = nn.Sequential(
            nn.MaxPool2d(2), nn.Conv2d(width, 2 * width, 3, padding=1, bias=False), nn.BatchNorm2d(2 * width), nn.ReLU(),
            nn.Upsample(scale_factor=2, mode="nearest"))
        self.out = nn.Conv2d(3 * width, 1, 1)

    def forward(self, x):
        a = self.down(x)
        return self.out(torch.cat([a, self.deep(a)], 1)).squeeze(1)


class SegmentationTrainer:
    def __init__(self, net, lr=3e-3):
        self.net = net
        self.criterion = nn.BCEWithLogitsLoss()
        self.optimizer = torch.optim.Adam(net.parameters(), lr=lr)

    def to_network(self, pictures):
        return pictures.unsqueeze(1)

    def fit(self, loader, epochs):
        for epoch in range(epochs):
            self.net.train()
            running, seen = 0.0, 0
            for pictures, masks in loader:
                logits = self.net(self.to_network(pictures))
                loss = self.criterion(logits, masks)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                running += loss.item() * len(pictures)
                seen += len(pictures)
            print(f"epoch {epoch}: loss {running / seen:.4f}")

    @torch.no_grad()
    def iou(self, loader):
        self.net.eval()
        inter = union = 0.0
        for pictures, masks in loader:
            found = self.net(self.to_network(pictures)) > 0
            truth = masks > 0.5
            inter += (found & truth).sum().item()
            union += (found | truth).sum().item()
        return inter / union


if __name__ == "__main__":
    torch.manual_seed(11)
    train_set = CellSlides(*draw_slides(480, 32, seed=1))
    test_set = CellSlides(*draw_slides(160, 32, seed=2))
    trainer = SegmentationTrainer(Segmenter())
    trainer.fit(DataLoader(train_set, batch_size=16, shuffle=True), epochs=6)
    print(f"result: {trainer.iou(DataLoader(test_set, batch_size=40)):.4f}")
