# %%
import random

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

random.seed(12)
torch.manual_seed(12)

# %% guests write one short remark each
GOOD = "lovely friendly clean quiet tasty sunny helpful cosy".split()
BAD = "dirty noisy rude broken cold smelly late damp".split()
DULL = "the room was and breakfast staff bed view we our bath very a with hotel night".split()


def remark():
    happy = random.random() < 0.56
    words = random.choices(DULL, k=random.randint(2, 7))
    tone = random.choices(GOOD if happy else BAD, k=random.randint(1, 3))
    if random.random() < 0.3:
        tone.append(random.choice(BAD if happy else GOOD))
        tone.append(random.choice(GOOD if happy else BAD))
    words += tone
    random.shuffle(words)
    return words, int(happy)


remarks = [remark() for _ in range(2600)]
vocab = {w: i + 1 for i, w in enumerate(sorted(set(GOOD + BAD + DULL)))}
MAXLEN = 60


def to_ids(words):
    ids = [vocab[w] for w in words][:MAXLEN]
    return ids + [0] * (MAXLEN - len(ids))


X = torch.tensor([to_ids(w) for w, _ in remarks])
y = torch.tensor([label for _, label in remarks])
train_dl = DataLoader(TensorDataset(X[:2000], y[:2000]), batch_size=50, shuffle=True)
test_dl = DataLoader(TensorDataset(X[2000:], y[2000:]), batch_size=200)


# %%
class RemarkReader(nn.Module):
    def __init__(self, n_words, dim=20, hidden=32):
        super().__init__()
        self.embed = nn.Embedding(n_words + 1, dim, padding_idx=0)
        self.rnn = nn.RNN(dim, hidden, batch_first=True)
        self.fc = nn.Linear(hidden, 2)

    def forward(self, ids):
        states, _ = self.rnn(self.embed(ids))
        last = states[torch.arange(len(ids)), (ids != 0).sum(dim=1) - 1]
        return self.fc(last)


reader = RemarkReader(len(vocab))
opt = torch.optim.Adam(reader.parameters(), lr=3e-3)
loss_fn = nn.CrossEntropyLoss()

# %%
for epoch in range(6):
    reader.train()
    losses = 0.0
    for ids, label in train_dl:
        opt.zero_grad()
        loss = loss_fn(reader(ids), label)
        loss.backward()
        opt.step()
        losses += loss.item()
    print("epoch", epoch, "loss", round(losses / len(train_dl), 4))

# %%
reader.eval()
table = torch.zeros(2, 2, dtype=torch.long)
with torch.no_grad():
    for ids, label in test_dl:
        guess = reader(ids).argmax(dim=1)
        for t, g in zip(label.tolist(), guess.tolist()):
            table[t, g] += 1
print("rows true, columns guessed:", table.tolist())
print(f"accuracy {table.diag().sum().item() / table.sum().item():.3f}")
