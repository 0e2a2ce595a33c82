import random
import string

import torch
import torch.nn as nn

LETTERS = string.ascii_lowercase
KINDS = {
    "north": (["bj", "sv", "kn", "gr", "h"], ["o", "e", "i"], ["rn", "rsen", "lf", "gard"]),
    "south": (["m", "l", "c", "r", "v"], ["a", "o", "i"], ["ella", "ino", "etto", "ia"]),
    "east": (["k", "t", "s", "n", "h"], ["a", "u", "i"], ["ko", "moto", "shi", "ra"]),
}
CATEGORIES = list(KINDS)


def make_names(count, rnd):
    found = {}
    while len(found) < count:
        kind = rnd.choice(CATEGORIES)
        heads, vowels, tails = KINDS[kind]
        name = rnd.choice(heads) + rnd.choice(vowels) + rnd.choice(LETTERS) * rnd.randrange(2) + rnd.choice(vowels) * rnd.randrange(2) + rnd.choice(tails)
        found[name] = CATEGORIES.index(kind)
    return list(found.items())


def line_to_tensor(name):
    out = torch.zeros(len(name), 1, len(LETTERS))
    for i, letter in enumerate(name):
        out[i, 0, LETTERS.index(letter)] = 1
    return out


class CharRNN(nn.Module):
    def __init__(self, hidden=40):
        super().__init__()
        self.rnn = nn.RNN(len(LETTERS), hidden)
        self.h2o = nn.Linear(hidden, len(CATEGORIES))
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, line):
        _, hidden = self.rnn(line)
        return self.softmax(self.h2o(hidden[0]))


def train(rnn, data, rnd, epochs=4, batch=10, lr=0.01):
    optimizer = torch.optim.Adam(rnn.parameters(), lr=lr)
    criterion = nn.NLLLoss()
    for epoch in range(epochs):
        rnd.shuffle(data)
        total = 0.0
        for start in range(0, len(data), batch):
            rnn.zero_grad()
            batch_loss = 0
            for name, label in data[start:start + batch]:
                batch_loss = batch_loss + criterion(rnn(line_to_tensor(name)), torch.tensor([label]))
            batch_loss = batch_loss / batch
            batch_loss.backward()
            nn.utils.clip_grad_norm_(rnn.parameters(), 3)
            optimizer.step()
            total += batch_loss.item()
        print(f"{epoch}: average batch loss = {total / (len(data) / batch):.6f}")


def evaluate(rnn, data):
    with torch.no_grad():
        return sum(int(rnn(line_to_tensor(name)).argmax()) == label for name, label in data) / len(data)


rnd = random.Random(3)
torch.manual_seed(3)
names = make_names(680, rnd)
rnd.shuffle(names)
rnn = CharRNN()
train(rnn, names[:500], rnd)
print(f"result: {evaluate(rnn, names[500:]):.4f}")
