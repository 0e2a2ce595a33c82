import random
from dataclasses import dataclass

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

GOOD = "great lovely bright warm fresh superb happy".split()
POOR = "awful dull cold stale gloomy broken sad".split()
PLAIN = "the a film food room was and very street with music place it seemed".split()


@dataclass
class Settings:
    emb: int = 24
    hidden: int = 32
    batch: int = 50
    epochs: int = 4
    lr: float = 5e-3


class Phrases(Dataset):
    def __init__(self, count, vocab, rng):
        self.rows = []
        for _ in range(count):
            mood = rng.randint(0, 1)
            words = [rng.choice(PLAIN) for _ in range(9)]
            for _ in range(3):
                words.insert(rng.randrange(len(words)), rng.choice(GOOD if mood else POOR))
            if rng.random() < 0.5:
                words.insert(rng.randrange(len(words)), rng.choice(POOR if mood else GOOD))
            else:
                words.append(rng.choice(PLAIN))
            self.rows.append((torch.tensor([vocab[w] for w in words]), mood))

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        return self.rows[i]


class MoodNet(nn.Module):
    def __init__(self, size, cfg):
        super().__init__()
        self.embed = nn.Embedding(size, cfg.emb)
        self.gru = nn.GRU(cfg.emb, cfg.hidden, batch_first=True)
        self.head = nn.Linear(cfg.hidden, 2)

    def forward(self, ids):
        states, _ = self.gru(self.embed(ids))
        return self.head(states.mean(dim=1))


class Reader:
    def __init__(self, vocab, cfg):
        self.cfg = cfg
        self.net = MoodNet(len(vocab), cfg)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=cfg.lr)
        self.criterion = nn.CrossEntropyLoss()

    def training_step(self, ids, mood):
        loss = self.criterion(self.net(ids), mood)
        loss.backward()
        self.net.zero_grad()
        self.optimizer.step()
        return loss.item()

    def fit(self, loader):
        for epoch in range(1, self.cfg.epochs + 1):
            self.net.train()
            total, batches = 0.0, 0
            for ids, mood in loader:
                total += self.training_step(ids, mood)
                batches += 1
            print("epoch %d loss %.6f" % (epoch, total / batches))

    def test(self, loader):
        self.net.eval()
        right = seen = 0
        with torch.no_grad():
            for ids, mood in loader:
                right += (self.net(ids).argmax(1) == mood).sum().item()
                seen += mood.numel()
        return right / seen


cfg = Settings()
torch.manual_seed(21)
rng = random.Random(21)
vocab = {word: i for i, word in enumerate(GOOD + POOR + PLAIN)}
train_loader = DataLoader(Phrases(1500, vocab, rng), batch_size=cfg.batch, shuffle=True)
test_loader = DataLoader(Phrases(400, vocab, rng), batch_size=100)
reader = Reader(vocab, cfg)
reader.fit(train_loader)
print(f"result: {reader.test(test_loader):.4f}")
