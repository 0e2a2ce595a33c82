import random

import torch
from torch import nn


class Reviews:
    """Made-up reviews of different length: 0 = bad, 1 = mixed, 2 = good."""
    good = "superb charming bright clever warm fresh moving sharp lively honest".split()
    bad = "dull noisy flat slow clumsy stale empty vague lazy bitter".split()
    plain = ("film actor scene story music end start plot camera light hero town night day voice "
             "line part role song face").split()

    def __init__(self, seed):
        self.rng = random.Random(seed)
        words = self.good + self.bad + self.plain
        self.vocab = {"<pad>": 0, **{w: i + 1 for i, w in enumerate(words)}}

    def one(self):
        label = self.rng.randrange(3)
        share = (0.2, 0.5, 0.8)[label]
        n = self.rng.randint(5, 28)
        words = []
        for _ in range(n):
            if self.rng.random() < 0.6:
                words.append(self.rng.choice(self.plain))
            else:
                words.append(self.rng.choice(self.good if self.rng.random() < share else self.bad))
        return [self.vocab[w] for w in words], label

    def batch_of(self, n):
        pairs = [self.one() for _ in range(n)]
        ids = nn.utils.rnn.pad_sequence([torch.tensor(w) for w, _ in pairs], batch_first=True)
        return ids, torch.tensor([label for _, label in pairs])


class PooledReader(nn.Module):
    def __init__(self, vocab_size, dim=32):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, dim)
        self.mix = nn.Conv1d(dim, dim, 3, padding=1)
        self.out = nn.Linear(dim, 3)

    def forward(self, ids):
        pad = ids == 0
        h = torch.tanh(self.mix(self.embed(ids).transpose(1, 2))).transpose(1, 2)
        h.data[pad] = 0.0
        pooled = h.sum(dim=1) / (~pad).sum(dim=1, keepdim=True)
        return self.out(pooled)


def main():
    torch.manual_seed(9)
    reviews = Reviews(seed=9)
    train = [reviews.batch_of(40) for _ in range(40)]
    test = [reviews.batch_of(40) for _ in range(20)]
    model = PooledReader(len(reviews.vocab))
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)

    for epoch in range(5):
        model.train()
        random.Random(epoch).shuffle(train)
        total = 0.0
        for ids, label in train:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(ids), label)
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(f"epoch {epoch}: {total / len(train):.4f}")

    model.eval()
    with torch.no_grad():
        right = sum((model(ids).argmax(1) == label).sum().item() for ids, label in test)
    print(f"test accuracy: {right / 800:.4f}")


main()
