"""Find round cells in noisy microscope tiles (toy segmentation)."""
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


@dataclass
class Settings:
    side: int = 24
    n_train: int = 480
    n_val: int = 120
    epochs: int = 6
    batch: int = 32
    lr: float = 4e-3
    seed: int = 5


class Tiles(torch.utils.data.Dataset):
    def __init__(self, n, side, rng):
        yy, xx = np.mgrid[0:side, 0:side]
        masks = np.zeros((n, side, side), dtype=np.float32)
        for i in range(n):
            for _ in range(rng.integers(1, 4)):
                cy, cx = rng.uniform(3, side - 3, 2)
                r = rng.uniform(2.5, 5.0)
                masks[i][(yy - cy) ** 2 + (xx - cx) ** 2 < r * r] = 1.0
        glow = rng.uniform(0.8, 1.4, (n, 1, 1))
        pictures = masks * glow + rng.normal(0, 0.6, masks.shape) - 0.2
        self.pictures = torch.tensor(pictures, dtype=torch.float32).unsqueeze(1)
        self.masks = torch.from_numpy(masks).unsqueeze(1)

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, i):
        return self.pictures[i], self.masks[i]


class MiniUNet(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, width, 3, padding=1), nn.ReLU())
        self.mid = nn.Sequential(nn.Conv2d(width, 2 * width, 3, padding=1), nn.ReLU())
        self.out = nn.Conv2d(3 * width, 1, 3, padding=1)

    def forward(self, x):
        a = self.down(x)
        b = self.mid(F.max_pool2d(a, 2))
        b = F.interpolate(b, scale_factor=2, mode="nearest")
        return self.out(torch.cat([a, b], dim=1))


def dice_loss(logits, masks):
    p = torch.sigmoid(logits)
    return 1 - (2 * (p * masks).sum() + 1) / (p.sum() + masks.sum() + 1)


class Segmenter:
    def __init__(self, cfg):
        self.cfg = cfg
        rng = np.random.default_rng(cfg.seed)
        self.train_dl = torch.utils.data.DataLoader(
            Tiles(cfg.n_train, cfg.side, rng), batch_size=cfg.batch, shuffle=True)
        self.val_dl = torch.utils.data.DataLoader(
            Tiles(cfg.n_val, cfg.side, rng), batch_size=60)
        self.net = MiniUNet()
        self.opt = torch.optim.Adam(self.net.parameters(), lr=cfg.lr)
        self.sched = torch.optim.lr_scheduler.StepLR(self.opt, step_size=2, gamma=0.6)

    def train_one_epoch(self):
        self.net.train()
        losses = []
        for pics, masks in self.train_dl:
            logits = self.net(pics)
            loss = F.binary_cross_entropy_with_logits(logits, masks) + dice_loss(logits, masks)
            self.opt.zero_grad()
            loss.backward()
            losses.append(loss.item())
        self.sched.step()
        return float(np.mean(losses))

    def validate(self):
        self.net.eval()
        inter = union = 0.0
        with torch.no_grad():
            for pics, masks in self.val_dl:
                hit = self.net(pics) > 0
                truth = masks > 0.5
                inter += (hit & truth).sum().item()
                union += (hit | truth).sum().item()
        return inter / union

    def run(self):
        for epoch in range(self.cfg.epochs):
            print(f"epoch {epoch}: loss {self.train_one_epoch():.4f}")
        print(f"result: {self.validate():.4f}")


torch.manual_seed(5)
Segmenter(Settings()).run()
