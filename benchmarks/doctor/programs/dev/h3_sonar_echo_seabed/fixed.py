"""Tells four kinds of seabed apart by the echo of a ping."""

import math

import torch
from torch import nn


class EchoNet(nn.Module):
    def __init__(self, n_kinds=4, width=64):
        super().__init__()
        self.width = width
        self.ping = nn.Conv1d(1, 16, kernel_size=9, stride=2, padding=4)
        self.pong = nn.Conv1d(16, 24, kernel_size=5, stride=2, padding=2)
        self.squeeze = nn.Linear(24 * 32, width)
        self.kind = nn.Linear(width, n_kinds)

    def forward(self, echo):
        h = torch.relu(self.ping(echo))
        h = torch.relu(self.pong(h)).flatten(1)
        h = torch.relu(self.squeeze(h))
        return self.kind(h)


class Seabed:
    """Makes echoes: a tone that depends on the ground, late or early, in noise."""

    tones = [(5, 5), (5, 9), (9, 5), (9, 9)]

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def echoes(self, count, length=128):
        kinds = torch.randint(0, 4, (count,), generator=self.generator)
        phase = 2 * math.pi * torch.rand(count, 1, generator=self.generator)
        time = torch.linspace(0, 2 * math.pi, length).unsqueeze(0)
        first = torch.tensor([a for a, _ in self.tones])[kinds].unsqueeze(1)
        later = torch.tensor([b for _, b in self.tones])[kinds].unsqueeze(1)
        wave = torch.where(time < math.pi, torch.sin(first * time + phase), torch.sin(later * time + phase))
        noise = 0.9 * torch.randn(count, length, generator=self.generator)
        return (wave + noise).unsqueeze(1), kinds


class Survey:
    def __init__(self, net, train, test, batch_size=50):
        self.net = net
        self.train_echoes, self.train_kinds = train
        self.test_echoes, self.test_kinds = test
        self.batch_size = batch_size
        self.optimizer = torch.optim.Adam(net.parameters(), lr=1.5e-3)

    def sail(self, epochs):
        for epoch in range(epochs):
            self.net.train()
            track = 0.0
            order = torch.randperm(len(self.train_echoes))
            for i in range(0, len(order), self.batch_size):
                pick = order[i : i + self.batch_size]
                loss = nn.functional.cross_entropy(self.net(self.train_echoes[pick]), self.train_kinds[pick])
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                track += loss.item() * len(pick)
            print(f"trip {epoch + 1:>2}: {track / len(order):.6f}")

    def report(self):
        self.net.eval()
        with torch.inference_mode():
            found = self.net(self.test_echoes).argmax(-1)
        return (found == self.test_kinds).float().mean().item()


torch.manual_seed(77)
seabed = Seabed(77)
survey = Survey(EchoNet(), seabed.echoes(2000), seabed.echoes(600))
survey.sail(12)
print(f"result: {survey.report():.4f}")
