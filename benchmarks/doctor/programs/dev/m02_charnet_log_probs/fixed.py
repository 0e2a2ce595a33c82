import random
import string

import torch
import torch.nn as nn
import torch.nn.functional as F

# Which (invented) language does a word come from?
SYLLABLES = {
    "elvish": ["la", "el", "ri", "ni", "th", "ae", "lo"],
    "orcish": ["gr", "uk", "za", "gh", "bo", "ur", "th"],
    "dwarfish": ["ba", "ro", "dur", "kh", "in", "az", "um"],
    "hobbit": ["bo", "fro", "mer", "pip", "in", "do", "la"],
}
ALPHABET = {c: i + 1 for i, c in enumerate(string.ascii_lowercase)}
MAX_LEN = 12


class WordCorpus:
    def __init__(self, n, seed):
        rnd = random.Random(seed)
        names = list(SYLLABLES)
        self.x = torch.zeros(n, MAX_LEN, dtype=torch.long)
        self.lengths = torch.zeros(n, dtype=torch.long)
        self.y = torch.zeros(n, dtype=torch.long)
        for i in range(n):
            label = rnd.randrange(len(names))
            word = "".join(rnd.choice(SYLLABLES[names[label]]) for _ in range(rnd.randint(2, 4)))
            word = word.replace(rnd.choice(word), rnd.choice("aeiou"), 1)[:MAX_LEN]
            self.x[i, : len(word)] = torch.tensor([ALPHABET[c] for c in word])
            self.lengths[i] = len(word)
            self.y[i] = label

    def batches(self, size, shuffle):
        order = torch.randperm(len(self.y)) if shuffle else torch.arange(len(self.y))
        for idx in order.split(size):
            yield self.x[idx], self.lengths[idx], self.y[idx]


class CharGRU(nn.Module):
    def __init__(self, n_chars, n_classes, hidden=32):
        super().__init__()
        self.embed = nn.Embedding(n_chars, 16, padding_idx=0)
        self.gru = nn.GRU(16, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, n_classes)

    def forward(self, x, lengths):
        states, _ = self.gru(self.embed(x))
        last = states[torch.arange(len(x)), lengths - 1]
        return self.fc(last)


class Experiment:
    def __init__(self):
        self.train_set = WordCorpus(1500, seed=10)
        self.test_set = WordCorpus(400, seed=11)
        self.model = CharGRU(len(ALPHABET) + 1, len(SYLLABLES))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=5e-3)
        self.criterion = nn.CrossEntropyLoss()

    def run(self, epochs):
        for epoch in range(1, epochs + 1):
            self.model.train()
            total = 0.0
            for x, lengths, y in self.train_set.batches(50, shuffle=True):
                self.optimizer.zero_grad()
                loss = self.criterion(self.model(x, lengths), y)
                loss.backward()
                self.optimizer.step()
                total += loss.item() * len(y)
            print(f"epoch {epoch}: {total / len(self.train_set.y):.4f}")

    @torch.no_grad()
    def test(self):
        self.model.eval()
        correct = 0
        for x, lengths, y in self.test_set.batches(100, shuffle=False):
            probs = F.softmax(self.model(x, lengths), dim=-1)
            correct += (probs.argmax(-1) == y).sum().item()
        return correct / len(self.test_set.y)


torch.manual_seed(21)
exp = Experiment()
exp.run(epochs=6)
print(f"accuracy {exp.test():.4f}")
