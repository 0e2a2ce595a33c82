import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class LeafPhotos(Dataset):
    """Leaves come in every size, so each photo keeps its own height and width."""

    def __init__(self, count, seed):
        rng = np.random.default_rng(seed)
        self.items = [self.photo(rng) for _ in range(count)]

    @staticmethod
    def photo(rng):
        h, w = 4 * rng.integers(4, 8, size=2)
        yy, xx = np.mgrid[:h, :w]
        light = rng.uniform(0.15, 0.55)
        leaf = light + 0.1 * np.sin(xx / rng.uniform(2, 5)) * np.cos(yy / rng.uniform(2, 5))
        mask = np.zeros((h, w), bool)
        for _ in range(rng.integers(1, 4)):
            cy, cx, r = rng.uniform(2, h - 2), rng.uniform(2, w - 2), rng.uniform(2, 4.5)
            mask |= (yy - cy) ** 2 + (xx - cx) ** 2 < r * r
        leaf = leaf + mask * light * 0.75 + rng.normal(0, 0.045, (h, w))
        image = torch.tensor(leaf, dtype=torch.float32).clamp(0, 1)[None]
        return image, torch.tensor(mask, dtype=torch.float32)[None]

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


def block(c_in, c_out):
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 3, padding=1),
        nn.GroupNorm(4, c_out),
        nn.ReLU(inplace=True),
    )


class TinyUNet(nn.Module):
    def __init__(self, c=8):
        super().__init__()
        self.enter = block(1, c)
        self.low = nn.Sequential(block(c, 2 * c), block(2 * c, 2 * c))
        self.leave = block(3 * c, c)
        self.head = nn.Conv2d(c, 1, 1)

    def forward(self, x):
        a = self.enter(x)
        b = self.low(nn.functional.max_pool2d(a, 2))
        b = nn.functional.interpolate(b, scale_factor=2.0, mode="nearest")
        return self.head(self.leave(torch.cat([a, b], dim=1)))


class SpotFinder:
    def __init__(self, lr=1e-3):
        self.net = TinyUNet()
        self.opt = torch.optim.Adam(self.net.parameters(), lr=lr)
        self.bce = nn.BCEWithLogitsLoss()

    def fit(self, photos, epochs):
        loader = DataLoader(photos, batch_size=1, shuffle=True)
        for epoch in range(epochs):
            self.net.train()
            history = []
            for image, mask in loader:
                loss = self.bce(self.net(image), mask)
                self.opt.zero_grad()
                loss.backward()
                self.opt.step()
                history.append(loss.item())
            print(f"epoch {epoch}: bce {np.mean(history):.4f}")

    @torch.no_grad()
    def iou(self, photos):
        self.net.eval()
        both = either = 0
        for image, mask in DataLoader(photos, batch_size=1):
            guess, truth = self.net(image).sigmoid() > 0.5, mask > 0.5
            both += (guess & truth).sum().item()
            either += (guess | truth).sum().item()
        return both / either


if __name__ == "__main__":
    torch.manual_seed(19)
    finder = SpotFinder()
    finder.fit(LeafPhotos(150, seed=1), epochs=5)
    print("IoU on new leaves: %.3f" % finder.iou(LeafPhotos(60, seed=2)))
