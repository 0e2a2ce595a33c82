import random

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_
from torch.utils.data import DataLoader, TensorDataset

LETTERS = ".abcdefghijklmnopqrstuvwxyz"
LONGEST = 18


class Village:
    """Names of villages, each made of a beginning, one or two middles and an ending."""

    first = ["nor", "sut", "bla", "gre", "kirch", "wal", "ro", "stein", "ober", "nieder", "alt", "neu", "schoen", "lang"]
    middle = ["en", "er", "ing", "els", "hoch", "mar", "bir", "fel", "tal", "see", "rau", "lind"]
    last = ["dorf", "berg", "burg", "hausen", "heim", "feld", "bach", "furt", "ach", "ingen"]

    @classmethod
    def name(cls):
        parts = [random.choice(cls.first), random.choice(cls.middle)]
        if random.random() < 0.5:
            parts.append(random.choice(cls.middle))
        return "".join(parts + [random.choice(cls.last)])[: LONGEST - 1]


def as_rows(names):
    rows = torch.full((len(names), LONGEST + 1), -1)
    for row, name in enumerate(names):
        text = "." + name + "."
        rows[row, : len(text)] = torch.tensor([LETTERS.index(letter) for letter in text])
    return TensorDataset(rows[:, :-1].clamp(min=0), rows[:, 1:])


class LetterModel(nn.Module):
    def __init__(self, width=24, hidden=96):
        super().__init__()
        self.embedding = nn.Embedding(len(LETTERS), width)
        self.rnn = nn.GRU(width, hidden, batch_first=True)
        self.project = nn.Linear(hidden, len(LETTERS))

    def forward(self, letters):
        states, _ = self.rnn(self.embedding(letters))
        return self.project(states)


class LetterTrainer:
    def __init__(self, model, train, test, epochs=8, lr=6e-3):
        self.model = model
        self.train_loader = DataLoader(train, batch_size=40, shuffle=True)
        self.test_loader = DataLoader(test, batch_size=200)
        self.epochs = epochs
        self.criterion = nn.CrossEntropyLoss(ignore_index=-1)
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        self.scheduler = torch.optim.lr_scheduler.ExponentialLR(self.optimizer, gamma=0.8)

    def train_step(self, letters, following):
        self.optimizer.zero_grad()
        scores = self.model(letters)
        loss = self.criterion(scores.flatten(0, 1), following.flatten())
        loss.backward()
        clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimizer.step()
        return loss.item()

    def fit(self):
        for epoch in range(self.epochs):
            self.model.train()
            total = 0.0
            for letters, following in self.train_loader:
                total += self.train_step(letters, following)
            self.scheduler.step()
            print(f"epoch {epoch + 1} loss {total / len(self.train_loader):.6f} guessed {self.guessed():.4f}")

    def guessed(self):
        self.model.eval()
        right = letters_seen = 0
        with torch.no_grad():
            for letters, following in self.test_loader:
                real = following >= 0
                right += (self.model(letters).argmax(2)[real] == following[real]).sum().item()
                letters_seen += real.sum().item()
        return right / letters_seen


random.seed(51)
torch.manual_seed(51)
names = list(dict.fromkeys(Village.name() for _ in range(2600)))
random.shuffle(names)
trainer = LetterTrainer(LetterModel(), as_rows(names[:1600]), as_rows(names[1600:2000]))
trainer.fit()
print(f"result: {trainer.guessed():.4f}")
