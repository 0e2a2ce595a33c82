from math import pi

import torch
from torch import nn
from torch.utils.data import DataLoader


def recordings(n, faulty, gen, length=96):
    t = torch.arange(length) / length
    speed = 5 + torch.rand(n, 1, generator=gen)
    phase = 2 * pi * torch.rand(n, 1, generator=gen)
    wave = torch.sin(2 * pi * speed * t + phase) + 0.4 * torch.sin(4 * pi * speed * t + 2 * phase)
    if faulty:
        knock = 15 + 4 * torch.rand(n, 1, generator=gen)
        wave = wave + 0.22 * torch.sin(2 * pi * knock * t)
    return wave + 0.15 * torch.randn(n, length, generator=gen)


class VibrationWatch:
    """Learns how a healthy pump sounds and scores how strange a new recording is."""

    def __init__(self, length=96, code=6):
        self.net = nn.Sequential(
            nn.Linear(length, 64), nn.ELU(), nn.Dropout(0.05), nn.Linear(64, code),
            nn.Linear(code, 64), nn.ELU(), nn.Linear(64, length),
        )
        self.limit = None

    def learn(self, waves, epochs=25, lr=2e-3):
        optimizer = torch.optim.AdamW(self.net.parameters(), lr=lr)
        plan = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
        loader = DataLoader(waves, batch_size=64, shuffle=True)
        for epoch in range(epochs):
            self.net.train()
            total = 0.0
            for wave in loader:
                optimizer.zero_grad()
                loss = nn.functional.smooth_l1_loss(self.net(wave), wave)
                loss.backward()
                optimizer.step()
                total += loss.item() * len(wave)
            plan.step()
            if epoch % 8 == 0:
                print(f"[{epoch:02d}] reconstruction {total / len(waves):.4f}")

    def strangeness(self, waves):
        self.net.eval()
        scores = []
        for wave in DataLoader(waves, batch_size=50):
            error = (self.net(wave) - wave).pow(2).mean(dim=1)
            scores.extend(error.tolist())
        return torch.tensor(scores)

    def set_limit(self, healthy):
        self.limit = self.strangeness(healthy).quantile(0.95).item()

    def alarms(self, waves):
        return (self.strangeness(waves) > self.limit).float().mean().item()


def main():
    torch.manual_seed(33)
    gen = torch.Generator().manual_seed(33)
    watch = VibrationWatch()
    watch.learn(recordings(3000, False, gen))
    watch.set_limit(recordings(500, False, gen))
    false_alarms = watch.alarms(recordings(400, False, gen))
    found = watch.alarms(recordings(400, True, gen))
    print(f"limit {watch.limit:.4f}, false alarms {false_alarms:.3f}")
    print(f"faulty pumps found: {found:.3f}")


main()
