from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence, pack_padded_sequence
from torch.utils.data import DataLoader, Dataset


@dataclass
class Config:
    seed: int = 17
    n_train: int = 3200
    n_test: int = 2400
    batch_size: int = 64
    hidden: int = 24
    lr: float = 2e-3
    epochs: int = 5


class Subscribers(Dataset):
    """Weekly usage records (6 numbers a week, 8 to 16 weeks) and whether the person left."""

    def __init__(self, n, rng):
        self.rows, left = [], []
        for _ in range(n):
            weeks = rng.integers(8, 17)
            mood = rng.normal()
            slope = np.linspace(0, 1, weeks)[:, None] * np.array([-0.8, 0.6, 0, 0, 0.4, 0])
            self.rows.append(torch.tensor(mood * slope + rng.normal(0, 0.4, (weeks, 6)), dtype=torch.float32))
            left.append(rng.random() < 1 / (1 + np.exp(4.4 - 1.75 * mood)))
        self.left = torch.tensor(left, dtype=torch.float32)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        return self.rows[i], self.left[i]


def collate(batch):
    rows, left = zip(*batch)
    lengths = torch.tensor([len(r) for r in rows])
    return pad_sequence(rows, batch_first=True), lengths, torch.stack(left)


class ChurnNet(nn.Module):
    def __init__(self, hidden, mean, std):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.gru = nn.GRU(6, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 1)

    def forward(self, x, lengths):
        x = (x - self.mean) / self.std
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        _, last = self.gru(packed)
        return self.out(last[-1]).squeeze(-1)


class Experiment:
    def __init__(self, cfg):
        self.cfg = cfg
        torch.manual_seed(cfg.seed)
        rng = np.random.default_rng(cfg.seed)
        train, test = Subscribers(cfg.n_train, rng), Subscribers(cfg.n_test, rng)
        share = train.left.mean()
        print(f"left: {share:.3f} of {len(train)}")
        self.train_loader = DataLoader(train, cfg.batch_size, shuffle=True, collate_fn=collate)
        self.test_loader = DataLoader(test, 256, collate_fn=collate)
        weeks = torch.cat(train.rows)
        self.net = ChurnNet(cfg.hidden, weeks.mean(0), weeks.std(0))
        self.opt = torch.optim.Adam(self.net.parameters(), lr=cfg.lr)
        self.criterion = nn.BCEWithLogitsLoss()

    def train(self):
        for epoch in range(self.cfg.epochs):
            self.net.train()
            running = 0.0
            for x, lengths, y in self.train_loader:
                self.opt.zero_grad()
                loss = self.criterion(self.net(x, lengths), y)
                loss.backward()
                self.opt.step()
                running += loss.item() * len(y)
            print(f"epoch {epoch}: loss {running / len(self.train_loader.dataset):.4f}")

    @torch.no_grad()
    def balanced_accuracy(self):
        self.net.eval()
        outs = [(self.net(x, n) > 0, y == 1) for x, n, y in self.test_loader]
        guess, truth = torch.cat([o[0] for o in outs]), torch.cat([o[1] for o in outs])
        return 0.5 * (guess[truth].float().mean() + (~guess[~truth]).float().mean()).item()


if __name__ == "__main__":
    exp = Experiment(Config())
    exp.train()
    print(f"result: {exp.balanced_accuracy():.4f}")
