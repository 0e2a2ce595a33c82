"""Where is the hand of a three-joint arm? Learn the forward kinematics from samples."""
from dataclasses import dataclass, field

import torch
from torch import nn

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}


@dataclass
class Config:
    hidden: list = field(default_factory=lambda: [96, 96, 96])
    activation: str = "gelu"
    lr: float = 3e-3
    epochs: int = 10
    batch: int = 128
    seed: int = 33


def sample_arm(n, gen):
    angles = (torch.rand(n, 3, generator=gen) - 0.5) * 3.2
    lengths = torch.tensor([1.0, 0.8, 0.5])
    heading = angles.cumsum(1)
    hand = torch.stack([(lengths * heading.cos()).sum(1), (lengths * heading.sin()).sum(1)], 1)
    return angles, hand + 0.01 * torch.randn(n, 2, generator=gen)


class Regressor(nn.Module):
    def __init__(self, cfg, n_in=3, n_out=2):
        super().__init__()
        make_act = ACTIVATIONS[cfg.activation]
        widths = [n_in] + cfg.hidden
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(a, b), make_act()) for a, b in zip(widths, widths[1:]))
        self.last = nn.Linear(widths[-1], n_out)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.last(x)


class Trainer:
    def __init__(self, cfg):
        self.cfg = cfg
        gen = torch.Generator().manual_seed(cfg.seed)
        x, y = sample_arm(4000, gen)
        xt, yt = sample_arm(1000, gen)
        self.mean, self.std = x.mean(0), x.std(0)
        self.train_data = (x - self.mean) / self.std, y
        self.test_data = (xt - self.mean) / self.std, yt
        self.model = Regressor(cfg)
        self.opt = torch.optim.Adam(self.model.parameters(), lr=cfg.lr)
        steps = cfg.epochs * -(-len(x) // cfg.batch)
        self.sched = torch.optim.lr_scheduler.OneCycleLR(self.opt, max_lr=cfg.lr, total_steps=steps)

    def fit(self):
        x, y = self.train_data
        self.model.train()
        for epoch in range(self.cfg.epochs):
            total = 0.0
            for idx in torch.randperm(len(x)).split(self.cfg.batch):
                loss = nn.functional.mse_loss(self.model(x[idx]), y[idx])
                self.opt.zero_grad(set_to_none=True)
                loss.backward()
                self.opt.step()
                self.sched.step()
                total += loss.item() * len(idx)
            print(f"epoch {epoch}: mse {total / len(x):.5f}")

    @torch.no_grad()
    def test(self):
        self.model.eval()
        x, y = self.test_data
        return (self.model(x) - y).norm(dim=1).mean().item()


if __name__ == "__main__":
    cfg = Config()
    torch.manual_seed(cfg.seed)
    trainer = Trainer(cfg)
    trainer.fit()
    print(f"result: {trainer.test():.4f}")
