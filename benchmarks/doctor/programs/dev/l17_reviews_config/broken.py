import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

CFG = {
    "seed": 21,
    "vocab": 300,
    "dim": 24,
    "hidden": 48,
    "epochs": 6,
    "batch": 64,
    "lr": 4e-3,
    "weight_decay": 0.8,
}


def synth_reviews(n, rng):
    """Token ids 0-99 lean positive, 100-199 negative, the others are neutral."""
    label = rng.integers(0, 2, n)
    docs = np.empty((n, 30), dtype=np.int64)
    for i, y in enumerate(label):
        neutral = rng.integers(200, 300, 22)
        own = rng.integers(0, 100, 5) + 100 * (1 - y)
        other = rng.integers(0, 100, 3) + 100 * y
        docs[i] = rng.permutation(np.concatenate([neutral, own, other]))
    return torch.from_numpy(docs), torch.from_numpy(label)


class ReviewNet(nn.Module):
    def __init__(self, vocab, dim, hidden):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, 2)

    def forward(self, tokens):
        pooled = self.embed(tokens).mean(dim=1)
        return self.fc2(F.relu(self.fc1(pooled)))


def train_one_epoch(model, optimizer, docs, labels):
    model.train()
    seen, running = 0, 0.0
    for idx in torch.randperm(len(docs)).split(CFG["batch"]):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(docs[idx]), labels[idx])
        loss.backward()
        optimizer.step()
        seen += len(idx)
        running += loss.item() * len(idx)
    return running / seen


@torch.no_grad()
def evaluate(model, docs, labels):
    model.eval()
    return (model(docs).argmax(dim=-1) == labels).float().mean().item()


def main():
    torch.manual_seed(CFG["seed"])
    rng = np.random.default_rng(CFG["seed"])
    train_docs, train_labels = synth_reviews(2400, rng)
    test_docs, test_labels = synth_reviews(800, rng)
    model = ReviewNet(CFG["vocab"], CFG["dim"], CFG["hidden"])
    optimizer = torch.optim.Adam(model.parameters(), lr=CFG["lr"], weight_decay=CFG["weight_decay"])
    for epoch in range(CFG["epochs"]):
        print(epoch, round(train_one_epoch(model, optimizer, train_docs, train_labels), 4))
    print(f"result: {evaluate(model, test_docs, test_labels):.4f}")


if __name__ == "__main__":
    main()
