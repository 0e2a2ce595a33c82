# %%
import random
import torch
from torch import nn, optim

random.seed(4)
torch.manual_seed(4)
LETTERS = "abcdefghijklmnopqrstuvwxyz"
REGIONS = ["north", "south", "east", "west"]

# %%
habits = {}
for region in REGIONS:
    habits[region] = {a: random.sample(LETTERS, 6) for a in LETTERS}


def invent(region):
    name = random.choice(LETTERS)
    for _ in range(random.randint(6, 11)):
        name += random.choice(habits[region][name[-1]] + list(LETTERS[:3]))
    return name


def collect(count):
    rows = []
    for _ in range(count):
        k = random.randrange(len(REGIONS))
        rows.append((invent(REGIONS[k]), k))
    return rows


train_rows, test_rows = collect(1600), collect(500)
print(train_rows[:3])


# %%
def collate(rows):
    ids = [torch.tensor([LETTERS.index(c) + 1 for c in name]) for name, _ in rows]
    padded = nn.utils.rnn.pad_sequence(ids, batch_first=True)
    return padded, torch.tensor([len(i) for i in ids]), torch.tensor([k for _, k in rows])


# %%
class NameNet(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.letters = nn.Embedding(len(LETTERS) + 1, 24, padding_idx=0)
        self.rnn = nn.GRU(24, hidden, batch_first=True)
        self.out = nn.Linear(hidden, len(REGIONS))
        self.prob = nn.LogSoftmax(dim=1)

    def forward(self, names, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(self.letters(names), lengths, batch_first=True, enforce_sorted=False)
        _, last = self.rnn(packed)
        return self.prob(self.out(last[0]))


net = NameNet()
optimizer = optim.Adam(net.parameters(), lr=4e-3)
criterion = nn.NLLLoss()

# %%
for epoch in range(1, 9):
    net.train()
    random.shuffle(train_rows)
    running = 0.0
    for start in range(0, len(train_rows), 64):
        names, lengths, region = collate(train_rows[start:start + 64])
        optimizer.zero_grad()
        loss = criterion(net(names, lengths), region)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        running += loss.item() * len(region)
    print(f"epoch {epoch}: {running / len(train_rows):.4f}")

# %%
net.eval()
with torch.no_grad():
    names, lengths, region = collate(test_rows)
    right = (net(names, lengths).argmax(1) == region).float().mean().item()
print(f"result: {right:.4f}")
