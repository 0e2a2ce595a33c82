import random
from typing import Iterator

import torch
from torch import Tensor, nn


def brackets(rng: random.Random, length: int = 12) -> tuple[list[int], int]:
    """A string of marks; its class says which of three marks is the most frequent."""
    favourite = rng.randrange(3)
    while True:
        weights = [1.0, 1.0, 1.0]
        weights[favourite] = 2.0
        row = rng.choices([0, 1, 2], weights, k=length)
        counts = [row.count(i) for i in range(3)]
        if counts[favourite] == max(counts) and counts.count(max(counts)) == 1:
            return row, favourite


class Corpus:
    def __init__(self, n: int, seed: int):
        rng = random.Random(seed)
        rows = [brackets(rng) for _ in range(n)]
        self.x = torch.tensor([r for r, _ in rows])
        self.y = torch.tensor([c for _, c in rows])

    def batches(self, size: int, shuffle: bool) -> Iterator[tuple[Tensor, Tensor]]:
        order = torch.randperm(len(self.y)) if shuffle else torch.arange(len(self.y))
        for part in order.split(size):
            yield self.x[part], self.y[part]


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(3, 12)
        self.lstm = nn.LSTM(12, 20, batch_first=True)
        self.drop = nn.Dropout(0.4)
        self.out = nn.Linear(20, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        _, (h, _) = self.lstm(self.embed(tokens))
        return self.out(self.drop(h[-1]))


class Loop:
    def __init__(self, model: nn.Module, lr: float):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)

    def one_pass(self, corpus: Corpus, learn: bool) -> tuple[float, float]:
        self.model.train(learn)
        loss_sum, hits = 0.0, 0
        with torch.set_grad_enabled(learn):
            for tokens, target in corpus.batches(50, shuffle=learn):
                logits = self.model(tokens)
                loss = nn.functional.cross_entropy(logits, target)
                if learn:
                    self.optimizer.zero_grad()
                    loss.backward()
                    self.optimizer.step()
                loss_sum += loss.item() * len(target)
                hits += (logits.argmax(1) == target).sum().item()
        return loss_sum / len(corpus.y), hits / len(corpus.y)


torch.manual_seed(17)
train_corpus, test_corpus = Corpus(1500, seed=1), Corpus(400, seed=2)
loop = Loop(Reader(), lr=8e-3)
for epoch in range(4):
    loss, _ = loop.one_pass(train_corpus, learn=True)
    test_loss, accuracy = loop.one_pass(test_corpus, learn=False)
    print(f"{epoch}: {loss:.6f} {test_loss:.6f}")
print(f"result: {accuracy:.4f}")
