import random

import torch
from torch import nn, optim

PARTS = ["street", "number", "town", "code", "country"]


class AddressBook:
    """Made-up address lines; every character carries the part it belongs to."""

    alphabet = "abcdefghijklmnopqrstuvwxyz0123456789 "

    def __init__(self, seed):
        self.rnd = random.Random(seed)

    def word(self, low, high):
        return "".join(self.rnd.choice("aeioudlmnrst") for _ in range(self.rnd.randint(low, high)))

    def line(self):
        r = self.rnd
        pieces = [
            ("street", self.word(4, 7) + r.choice(["way", "row", "gasse", "plads"])),
            ("number", str(r.randint(1, 199))),
            ("code", str(r.randint(10000, 99999))),
            ("town", self.word(4, 7) + r.choice(["ville", "ham", "borg", ""])),
            ("country", r.choice(["norge", "france", "italia", "suomi"])),
        ]
        if r.random() < 0.4:
            pieces[0], pieces[1] = pieces[1], pieces[0]
        if r.random() < 0.4:
            pieces[2], pieces[3] = pieces[3], pieces[2]
        chars, tags = [], []
        for part, text in pieces:
            for ch in text + " ":
                chars.append(self.alphabet.index(ch))
                tags.append(PARTS.index(part))
        keep = 44
        chars += [self.alphabet.index(" ")] * (keep - len(chars))
        tags += [-100] * (keep - len(tags))
        return chars[:keep], tags[:keep]

    def lines(self, n):
        chars, tags = zip(*(self.line() for _ in range(n)))
        return torch.tensor(chars), torch.tensor(tags)


class PartTagger(nn.Module):
    def __init__(self, n_chars, hidden=32):
        super().__init__()
        self.table = nn.Embedding(n_chars, 16)
        self.left = nn.Conv1d(16, hidden, 7, padding=3)
        self.wide = nn.Conv1d(hidden, hidden, 7, padding=6, dilation=2)
        self.to_parts = nn.Linear(hidden, len(PARTS))

    def forward(self, chars):
        h = self.table(chars).transpose(1, 2)
        h = torch.relu(self.left(h))
        h = h + torch.relu(self.wide(h))
        scores = self.to_parts(h.transpose(1, 2))
        return scores


class Course:
    def __init__(self, model, book):
        self.model = model
        self.train_set, self.test_set = book.lines(1000), book.lines(250)
        self.criterion = nn.CrossEntropyLoss(ignore_index=-100)
        self.optimizer = optim.SGD(model.parameters(), lr=0.3, momentum=0.9)

    def epoch(self, size=40):
        chars, tags = self.train_set
        self.model.train()
        losses = []
        for idx in torch.randperm(len(chars)).split(size):
            scores = self.model(chars[idx])
            loss = self.criterion(scores.reshape(-1, len(PARTS)), tags[idx].reshape(-1))
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return sum(losses) / len(losses)

    @torch.no_grad()
    def accuracy(self):
        chars, tags = self.test_set
        self.model.eval()
        known = tags != -100
        return (self.model(chars).argmax(-1) == tags)[known].float().mean().item()


torch.manual_seed(8)
course = Course(PartTagger(len(AddressBook.alphabet)), AddressBook(8))
for e in range(6):
    print(f"epoch {e}: loss {course.epoch():.4f}")
print(f"characters tagged rightly: {course.accuracy():.4f}")
