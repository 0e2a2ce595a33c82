import torch
from torch import nn

ALPHABET = "abcdefgh "


def babble(n, g):
    words = ["bad", "cab", "dab", "fed", "egg", "hag", "bead", "face", "deaf"]
    text = " ".join(words[i] for i in torch.randint(0, len(words), (n,), generator=g))
    return torch.tensor([ALPHABET.index(c) for c in text])


def columns(stream, count):
    length = len(stream) // count
    return stream[: length * count].view(count, length).t().contiguous()


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(len(ALPHABET), 16)
        self.rnn = nn.GRU(16, 48)
        self.out = nn.Linear(48, len(ALPHABET))

    def forward(self, x, hidden):
        h, hidden = self.rnn(self.embed(x), hidden)
        return self.out(h), hidden


def train(model, data, optimizer, length=15):
    hidden, total, count = None, 0.0, 0
    for i in range(0, len(data) - 1 - length, length):
        x, y = data[i:i + length], data[i + 1:i + 1 + length]
        if hidden is not None:
            hidden = hidden.detach()
        optimizer.zero_grad()
        out, hidden = model(x, hidden)
        loss = nn.functional.cross_entropy(out.flatten(0, 1), y.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        total += loss.item()
        count += 1
    return total / count


def evaluate(model, data):
    hidden, hits, seen = None, 0, 0
    with torch.no_grad():
        for i in range(0, len(data) - 1, 25):
            x, y = data[i:i + 25][: len(data) - 1 - i], data[i + 1:i + 26]
            out, hidden = model(x, hidden)
            hits += (out.argmax(-1) == y).sum().item()
            seen += y.numel()
    return hits / seen


g = torch.Generator().manual_seed(9)
torch.manual_seed(9)
train_data, test_data = columns(babble(2400, g), 20), columns(babble(400, g), 5)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(4):
    print(f"epoch {epoch} loss {train(model, train_data, optimizer):.6f}")
print(f"result: {evaluate(model, test_data):.4f}")
