"""Multi-label mood tags for songs."""
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

MOODS = ["happy", "sad", "party", "calm", "angry", "dreamy"]


class SongTable:
    def __init__(self, n_songs, rng, mix=None):
        self.mix = rng.normal(0, 0.9, (20, len(MOODS))) if mix is None else mix
        features = rng.normal(size=(n_songs, 20))
        score = features @ self.mix / 2 + 0.6 * np.tanh(features[:, :6] * features[:, 6:12]) - 0.3
        self.features = torch.tensor(features, dtype=torch.float32)
        self.tags = torch.tensor(rng.random(score.shape) < 1 / (1 + np.exp(-3 * score)), dtype=torch.float32)

    def loader(self, **kwargs):
        return DataLoader(TensorDataset(self.features, self.tags), **kwargs)


class Tagger:
    def __init__(self):
        self.net = nn.Sequential(nn.Linear(20, 64), nn.GELU(), nn.Dropout(0.1), nn.Linear(64, len(MOODS)))
        self.loss = nn.BCEWithLogitsLoss()
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=3e-3, weight_decay=1e-2)

    def fit(self, loader, epochs):
        self.net.train()
        for epoch in range(epochs):
            total, count = 0.0, 0
            for features, tags in loader:
                loss = self.loss(self.net(features), tags)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                total, count = total + loss.item() * len(tags), count + len(tags)
            print(f"epoch {epoch:02d} bce {total / count:.4f}")
        return self

    @torch.no_grad()
    def tag_accuracy(self, loader):
        self.net.eval()
        predicted, actual = [], []
        for features, tags in loader:
            predicted.append(torch.sigmoid(self.net(features)) > 0.5)
            actual.append(tags > 0.5)
        hit = torch.cat(predicted) == torch.cat(actual)
        for mood, share in zip(MOODS, hit.float().mean(0).tolist()):
            print(f"  {mood:8s}{share:.3f}")
        return hit.float().mean().item()


torch.manual_seed(2)
rng = np.random.default_rng(2)
known = SongTable(2000, rng)
fresh = SongTable(500, rng, mix=known.mix)
tagger = Tagger().fit(known.loader(batch_size=50, shuffle=True), epochs=8)
print(f"result: {tagger.tag_accuracy(fresh.loader(batch_size=100)):.4f}")
