import random

import torch
import torch.nn as nn
from torch.utils.data import DataLoader

# tags of a word: 0 other, 1 name, 2 place, 3 date
WORDS = {
    0: [f"word{i}" for i in range(12)],
    1: [f"name{i}" for i in range(10)],
    2: [f"place{i}" for i in range(10)],
    3: [f"date{i}" for i in range(8)],
}
SHARED = ["may", "paris", "jordan", "rose", "lily"]
INDEX = {w: i for i, w in enumerate(sum(WORDS.values(), []) + SHARED)}


def sentence(rng):
    tags = [rng.choices([0, 1, 2, 3], [4, 3, 3, 2])[0] for _ in range(7)]
    words = [rng.choice(SHARED) if rng.random() < 0.05 else rng.choice(WORDS[t]) for t in tags]
    return torch.tensor([INDEX[w] for w in words]), torch.tensor(tags)


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(len(INDEX), 12)
        self.rnn = nn.GRU(12, 16, batch_first=True, bidirectional=True)
        self.tag = nn.Linear(32, 4)

    def forward(self, words):
        states, _ = self.rnn(self.embed(words))
        return self.tag(states)


def train(model, loader, epochs):
    criterion = nn.CrossEntropyLoss(ignore_index=0)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(epochs):
        model.train()
        running = 0.0
        for words, tags in loader:
            optimizer.zero_grad()
            loss = criterion(model(words).transpose(1, 2), tags)
            loss.backward()
            optimizer.step()
            running += loss.item()
        print(f"epoch {epoch + 1}: loss {running / len(loader):.6f}")


def evaluate(model, loader):
    model.eval()
    right = total = 0
    with torch.no_grad():
        for words, tags in loader:
            right += (model(words).argmax(-1) == tags).sum().item()
            total += tags.numel()
    return right / total


def main():
    rng = random.Random(330)
    torch.manual_seed(330)
    data = [sentence(rng) for _ in range(1000)]
    model = Tagger()
    train(model, DataLoader(data[:800], batch_size=20, shuffle=True), epochs=3)
    print(f"result: {evaluate(model, DataLoader(data[800:], batch_size=50)):.4f}")


if __name__ == "__main__":
    main()
