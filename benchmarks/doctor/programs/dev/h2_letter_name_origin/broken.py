# Which language does a name come from? A recurrent network reads it letter by letter.
import random
import string

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

torch.autograd.set_detect_anomaly(True)
random.seed(12)
torch.manual_seed(12)

ENDINGS = {
    "italian": ["ini", "elli", "otti", "ano"],
    "polish": ["owski", "czyk", "wicz", "ska"],
    "greek": ["opoulos", "akis", "idis", "atos"],
    "japanese": ["moto", "naka", "shita", "hara"],
}
LANGUAGES = list(ENDINGS)


def make_name(language):
    root = "".join(random.choice("bcdfgklmnprst") + random.choice("aeiou") for _ in range(random.randint(1, 2)))
    name = root + random.choice(ENDINGS[language])
    if random.random() < 0.4:
        i = random.randrange(len(name))
        name = name[:i] + random.choice(string.ascii_lowercase) + name[i + 1:]
    return name


def encode(name):
    return torch.tensor([ord(c) - 96 for c in name])


pool = []
known = set()
while len(pool) < 1900:
    label = random.randrange(4)
    name = make_name(LANGUAGES[label])
    if name not in known:
        known.add(name)
        pool.append((encode(name), label))
train_names, test_names = pool[:1500], pool[1500:]


def collate(rows):
    names, labels = zip(*rows)
    lengths = torch.tensor([len(n) for n in names])
    return pad_sequence(names, batch_first=True), lengths, torch.tensor(labels)


class NameRNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.letters = nn.Embedding(27, 16, padding_idx=0)
        self.rnn = nn.RNN(16, 48, batch_first=True)
        self.decide = nn.Linear(48, 4)

    def forward(self, x, lengths):
        states, _ = self.rnn(self.letters(x))
        last = states[torch.arange(len(x)), lengths - 1]
        return self.decide(last)


model = NameRNN()
optimizer = torch.optim.RMSprop(model.parameters(), lr=3e-3)
loader = torch.utils.data.DataLoader(train_names, batch_size=25, shuffle=True, collate_fn=collate)
criterion = nn.CrossEntropyLoss()

for epoch in range(4):
    model.train()
    summed = 0.0
    for x, lengths, labels in loader:
        loss = criterion(model(x, lengths), labels)
        optimizer.zero_grad()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        loss.backward()
        optimizer.step()
        summed += loss.item()
    print(f"epoch {epoch}: {summed / len(loader):.6f}")

model.eval()
with torch.no_grad():
    x, lengths, labels = collate(test_names)
    share = (model(x, lengths).argmax(1) == labels).float().mean().item()
print(f"result: {share:.4f}")
