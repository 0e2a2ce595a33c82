import random

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

TAGS = ["article", "noun", "verb", "adjective", "adverb"]
LENGTH = 5
WORDS_PER_TAG = 12


def corpus(n, rng):
    """Sentences of five words. Every third verb also serves as a noun; the word before tells which it is."""
    sentences, tags = [], []
    for _ in range(n):
        tag = rng.choices(range(5), k=LENGTH)
        words = []
        for place, t in enumerate(tag):
            if t == 1 and place and tag[place - 1] == 0 and rng.random() < 0.5:
                words.append(2 * WORDS_PER_TAG + 3 * rng.randrange(4))
            else:
                words.append(t * WORDS_PER_TAG + rng.randrange(WORDS_PER_TAG))
        sentences.append(words)
        tags.append(tag)
    return TensorDataset(torch.tensor(sentences), torch.tensor(tags))


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(5 * WORDS_PER_TAG, 16)
        self.rnn = nn.GRU(16, 16, batch_first=True, bidirectional=True)
        self.proj = nn.Linear(32, len(TAGS))

    def forward(self, words):
        states, _ = self.rnn(self.embed(words))
        return self.proj(states)


class TaggerTraining:
    def __init__(self, train_set, test_set):
        self.train_loader = DataLoader(train_set, batch_size=32, shuffle=True)
        self.test_loader = DataLoader(test_set, batch_size=64)
        self.tagger = Tagger()
        self.optimizer = torch.optim.Adam(self.tagger.parameters(), lr=0.01)

    def run(self, epochs):
        for epoch in range(epochs):
            self.tagger.train()
            total = 0.0
            for words, tags in self.train_loader:
                self.optimizer.zero_grad()
                scores = self.tagger(words)
                loss = nn.functional.cross_entropy(scores.flatten(0, 1), tags.flatten())
                loss.backward()
                self.optimizer.step()
                total += loss.item() * len(words)
            print(f"epoch {epoch} loss {total / len(self.train_loader.dataset):.6f}")

    def accuracy(self):
        self.tagger.eval()
        right, words_seen = 0, 0
        with torch.no_grad():
            for words, tags in self.test_loader:
                guess = self.tagger(words).argmax(dim=1)
                right += (guess == tags).sum().item()
                words_seen += tags.numel()
        return right / words_seen


rng = random.Random(6)
torch.manual_seed(6)
training = TaggerTraining(corpus(1200, rng), corpus(300, rng))
training.run(epochs=4)
print(f"result: {training.accuracy():.4f}")
