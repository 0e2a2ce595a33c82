from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F


@dataclass
class Settings:
    people: int = 12
    per_person: int = 80
    epochs: int = 10
    groups: int = 12
    lr: float = 2e-3
    warmup: int = 30
    margin: float = 0.3
    seed: int = 9


def voices(settings):
    """Voice prints: a person is a point in 6 hidden dimensions, the recording adds a channel effect."""
    g = torch.Generator().manual_seed(settings.seed)
    rows = settings.people * settings.per_person
    person = torch.arange(settings.people).repeat_interleave(settings.per_person)
    hidden = 1.3 * torch.randn(settings.people, 6, generator=g)[person] + 0.55 * torch.randn(rows, 6, generator=g)
    channel = 2.0 * torch.randn(rows, 4, generator=g)
    lift = torch.randn(6, 40, generator=g)
    leak = torch.randn(4, 40, generator=g)
    return torch.sin(hidden @ lift * 0.5) + 0.5 * channel @ leak, person, g


class VoiceNet(nn.Module):
    def __init__(self, width=160, out=16):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(40, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
        self.project = nn.Linear(width, out)

    def forward(self, x):
        return F.normalize(self.project(self.body(x)), dim=-1)


class TripletRun:
    def __init__(self, settings):
        torch.manual_seed(settings.seed)
        self.cfg = settings
        x, person, g = voices(settings)
        order = torch.randperm(len(x), generator=g)
        cut = int(0.7 * len(x))
        self.train_rows, self.test_rows = order[:cut], order[cut:]
        self.x = (x - x[self.train_rows].mean(0)) / x[self.train_rows].std(0)
        self.person = person
        self.net = VoiceNet()
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=settings.lr)
        total = settings.epochs * settings.groups
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer,
            lambda i: min(1.0, (i + 1) / settings.warmup) * max(0.05, 1.0 - i / total),
        )

    def triplets(self, code, who):
        distance = torch.cdist(code, code)
        same = who[:, None] == who[None, :]
        positive = same & ~torch.eye(len(who), dtype=torch.bool)
        violation = F.relu(distance[:, :, None] - distance[:, None, :] + self.cfg.margin)
        valid = positive[:, :, None] & ~same[:, None, :]
        return violation[valid].mean()

    def fit(self):
        self.net.train()
        for epoch in range(self.cfg.epochs):
            losses = []
            for rows in self.train_rows[torch.randperm(len(self.train_rows))].chunk(self.cfg.groups):
                loss = self.triplets(self.net(self.x[rows]), self.person[rows])
                self.optimizer.zero_grad()
                loss.backward()
                self.schedule.step()
                self.optimizer.step()
                losses.append(loss.item())
            print(f"epoch {epoch:2d} triplet {sum(losses) / len(losses):.4f} lr {self.schedule.get_last_lr()[0]:.5f}")

    @torch.no_grad()
    def retrieval(self):
        self.net.eval()
        gallery = self.net(self.x[self.train_rows])
        query = self.net(self.x[self.test_rows])
        nearest = (query @ gallery.T).topk(5, dim=1).indices
        votes = F.one_hot(self.person[self.train_rows][nearest], self.cfg.people).sum(1)
        return (votes.argmax(1) == self.person[self.test_rows]).float().mean().item()


run = TripletRun(Settings())
run.fit()
print(f"result: {run.retrieval():.4f}")
