import math
import torch
import torch.nn as nn


class Corpus:
    nouns = "dog cat bird child teacher".split()
    verbs = "sees likes follows hears".split()
    places = "home outside upstairs".split()

    def __init__(self):
        self.words = ["the", "a", "."] + self.nouns + self.verbs + self.places
        self.index = {w: i for i, w in enumerate(self.words)}

    def text(self, sentences):
        pick = lambda pool: pool[int(torch.randint(len(pool), ()))]
        out = []
        for _ in range(sentences):
            out += ["the", pick(self.nouns), pick(self.verbs), "a", pick(self.nouns), pick(self.places), "."]
        return torch.tensor([self.index[w] for w in out])


class RNNModel(nn.Module):
    def __init__(self, ntoken, ninp=24, nhid=32):
        super().__init__()
        self.nhid = nhid
        self.drop = nn.Dropout(0.1)
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = nn.LSTM(ninp, nhid)
        self.decoder = nn.Linear(nhid, ntoken)

    def forward(self, ids, hidden):
        output, hidden = self.rnn(self.drop(self.encoder(ids)), hidden)
        return self.decoder(self.drop(output)).flatten(0, 1), hidden

    def init_hidden(self, size):
        return torch.zeros(1, size, self.nhid), torch.zeros(1, size, self.nhid)


def batchify(data, size):
    n = len(data) // size
    return data[: n * size].view(size, -1).t().contiguous()


def get_batch(source, i, bptt=14):
    length = min(bptt, len(source) - 1 - i)
    return source[i:i + length], source[i + 1:i + 1 + length].flatten()


def repackage_hidden(h):
    return tuple(v.detach() for v in h)


torch.manual_seed(1111)
corpus = Corpus()
train_data, test_data = batchify(corpus.text(1000), 10), batchify(corpus.text(150), 5)
model = RNNModel(len(corpus.words))
criterion = nn.CrossEntropyLoss()
lr = 4.0
for epoch in range(1, 5):
    model.train()
    hidden, total, count = model.init_hidden(10), 0.0, 0
    for i in range(0, len(train_data) - 1, 14):
        data, targets = get_batch(train_data, i)
        model.zero_grad()
        hidden = repackage_hidden(hidden)
        output, hidden = model(data, hidden)
        loss = criterion(output, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        for p in model.parameters():
            p.data.add_(p.grad, alpha=-lr)
        total += loss.item()
        count += 1
    lr /= 1.5
    print(f"epoch {epoch} loss {total / count:.6f} ppl {math.exp(total / count):.2f}")

model.eval()
hidden, total, words = model.init_hidden(5), 0.0, 0
with torch.no_grad():
    for i in range(0, len(test_data) - 1, 14):
        data, targets = get_batch(test_data, i)
        output, hidden = model(data, hidden)
        total += criterion(output, targets).item() * len(targets)
        words += len(targets)
print(f"result: {math.exp(-total / words):.4f}")
