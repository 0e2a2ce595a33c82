"""Tag films with all genres that fit, from keyword counts."""
import numpy as np
import torch
from torch import nn

GENRES = ["action", "comedy", "crime", "drama", "family", "history", "romance", "thriller"]
KEYWORDS = 150


def make_films(n, topics, rng):
    tags = rng.random((n, len(GENRES))) < np.array([0.35, 0.4, 0.25, 0.5, 0.3, 0.2, 0.3, 0.35])
    tags[np.arange(n), rng.integers(0, len(GENRES), n)] = True
    rate = 0.06 + tags @ topics
    return rng.poisson(rate).astype(np.float32), tags.astype(np.float32)


def load(seed=40):
    rng = np.random.default_rng(seed)
    topics = np.where(rng.random((len(GENRES), KEYWORDS)) < 0.12, rng.uniform(0.2, 0.8, (len(GENRES), KEYWORDS)), 0)
    train, test = make_films(2000, topics, rng), make_films(800, topics, rng)
    mean, std = np.log1p(train[0]).mean(0), np.log1p(train[0]).std(0)
    return [(torch.from_numpy((np.log1p(x) - mean) / std), torch.from_numpy(t)) for x, t in (train, test)]


def make_tagger():
    return nn.Sequential(
        nn.Linear(KEYWORDS, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, len(GENRES)))


def fit(model, x, tags, epochs=12, size=64):
    criterion = nn.CrossEntropyLoss()
    opt = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(epochs):
        model.train()
        running = []
        for idx in torch.randperm(len(x)).split(size):
            opt.zero_grad()
            loss = criterion(model(x[idx]), tags[idx])
            loss.backward()
            opt.step()
            running.append(loss.item() * len(idx))
        print(f"epoch {epoch + 1:2d}: {sum(running) / len(x):.4f}")
    return model


@torch.no_grad()
def micro_f1(model, x, tags):
    model.eval()
    said = torch.sigmoid(model(x)) > 0.5
    true = tags > 0.5
    tp = (said & true).sum().item()
    return 2 * tp / (said.sum().item() + true.sum().item())


if __name__ == "__main__":
    torch.manual_seed(40)
    (x, tags), (x_test, tags_test) = load()
    tagger = fit(make_tagger(), x, tags)
    print(f"result: {micro_f1(tagger, x_test, tags_test):.4f}")
