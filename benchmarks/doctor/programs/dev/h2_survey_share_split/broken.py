from collections import namedtuple

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

Split = namedtuple("Split", "train test")


def surveys(towns=2200, answers=5, gen=None):
    """How the answers of a town divide, from what is known about the town."""
    facts = torch.randn(towns, 8, generator=gen)
    w = torch.randn(8, 12, generator=gen) * 0.6
    v = torch.randn(12, answers, generator=gen)
    taste = torch.tanh(facts @ w) @ v * 0.8
    taste = taste + 0.15 * torch.randn(towns, answers, generator=gen)
    return facts, torch.log_softmax(taste, dim=1)


class ShareNet(nn.Module):
    def __init__(self, inputs, answers, hidden=64):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(inputs, hidden), nn.SELU(), nn.Linear(hidden, hidden), nn.SELU())
        self.answers = nn.Linear(hidden, answers)

    def forward(self, facts):
        return torch.log_softmax(self.answers(self.inner(facts)), dim=1)


class ShareTask:
    def __init__(self, split, lr=2e-3, epochs=8):
        self.split, self.epochs = split, epochs
        self.net = ShareNet(8, 5)
        self.criterion = nn.KLDivLoss(reduction="batchmean", log_target=True)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=lr)

    def step(self, facts, log_share):
        self.optimizer.zero_grad()
        log_guess = self.net(facts)
        loss = self.criterion(log_share, log_guess)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def train(self):
        for epoch in range(self.epochs):
            self.net.train()
            losses = [self.step(*batch) for batch in self.split.train]
            print(f"epoch {epoch} kl {sum(losses) / len(losses):.6f}")

    def agreement(self):
        self.net.eval()
        apart, count = 0.0, 0
        with torch.no_grad():
            for facts, log_share in self.split.test:
                apart += 0.5 * (self.net(facts).exp() - log_share.exp()).abs().sum().item()
                count += len(facts)
        return 1 - apart / count


torch.manual_seed(90)
facts, log_share = surveys(gen=torch.Generator().manual_seed(90))
split = Split(
    DataLoader(TensorDataset(facts[:1700], log_share[:1700]), batch_size=34, shuffle=True),
    DataLoader(TensorDataset(facts[1700:], log_share[1700:]), batch_size=250),
)
task = ShareTask(split)
task.train()
print(f"result: {task.agreement():.4f}")
