import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def draw_cells(n, size, gen):
    """Noisy microscope-like tiles with a few bright elliptic cells and their masks."""
    yy, xx = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    mask = torch.zeros(n, size, size, dtype=torch.bool)
    for _ in range(3):
        cx, cy = (torch.randint(4, size - 4, (n, 1, 1), generator=gen) for _ in range(2))
        a, b = (2.5 + 3.5 * torch.rand(n, 1, 1, generator=gen) for _ in range(2))
        mask |= ((xx - cx) / a) ** 2 + ((yy - cy) / b) ** 2 < 1
    light = 0.3 * torch.randn(n, 1, 1, generator=gen) + 0.02 * xx
    image = mask * 0.9 + light + 0.5 * torch.randn(n, size, size, generator=gen)
    return image.unsqueeze(1), mask.unsqueeze(1).float()


class Segmenter(nn.Module):
    def __init__(self, width=12):
        super().__init__()
        self.enter = self.block(1, width)
        self.deep = self.block(width, 2 * width)
        self.up = nn.ConvTranspose2d(2 * width, width, 2, stride=2)
        self.leave = self.block(2 * width, width)
        self.out = nn.Conv2d(width, 1, 1)

    @staticmethod
    def block(a, b):
        return nn.Sequential(nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU())

    def forward(self, x):
        skip = self.enter(x)
        low = self.deep(nn.functional.max_pool2d(skip, 2))
        return self.out(self.leave(torch.cat([skip, self.up(low)], dim=1)))


class Experiment:
    def __init__(self, seed=11, size=24):
        torch.manual_seed(seed)
        gen = torch.Generator().manual_seed(seed)
        parts = {name: draw_cells(n, size, gen) for name, n in (("train", 640), ("val", 160), ("test", 240))}
        mean, std = parts["train"][0].mean(), parts["train"][0].std()
        self.loaders = {
            name: DataLoader(TensorDataset((x - mean) / std, m), batch_size=16, shuffle=name == "train")
            for name, (x, m) in parts.items()}
        self.net = Segmenter()
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=4e-3)
        self.criterion = nn.BCEWithLogitsLoss()

    def train_epoch(self):
        self.net.train()
        for image, mask in self.loaders["train"]:
            loss = self.criterion(self.net(image), mask)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()

    def iou(self, split):
        self.net.eval()
        inter = union = 0
        with torch.no_grad():
            for image, mask in self.loaders[split]:
                found, truth = self.net(image) > 0, mask > 0.5
                inter += (found & truth).sum().item()
                union += (found | truth).sum().item()
        return inter / union

    def run(self, epochs):
        for epoch in range(1, epochs + 1):
            self.train_epoch()
            print(f"epoch {epoch}  val IoU {self.iou('val'):.4f}")
        return self.iou("test")


if __name__ == "__main__":
    print(f"result: {Experiment().run(epochs=4):.4f}")
