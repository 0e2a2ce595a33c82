import random

import numpy as np
import torch
import torch.nn as nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

TOPICS = ["billing", "delivery", "login", "returns"]
VOCAB = 400
PAD = 0


def write_ticket(rng, topic):
    length = rng.integers(6, 36)
    words = rng.integers(101, VOCAB, size=length)
    key = rng.random(length) < 0.3
    words[key] = rng.integers(1 + 25 * topic, 26 + 25 * topic, size=int(key.sum()))
    return torch.as_tensor(words, dtype=torch.long)


def make_tickets(n, seed):
    rng = np.random.default_rng(seed)
    topics = rng.integers(0, len(TOPICS), size=n)
    return [write_ticket(rng, t) for t in topics], torch.as_tensor(topics)


def by_length(docs, labels):
    # neighbours of about the same length need little padding
    docs = sorted(docs, key=len)
    return docs, labels


def batches(docs, labels, size):
    for start in range(0, len(docs), size):
        chunk = docs[start:start + size]
        lengths = torch.tensor([len(d) for d in chunk])
        yield pad_sequence(chunk, batch_first=True, padding_value=PAD), lengths, labels[start:start + size]


class TicketReader(nn.Module):
    def __init__(self, dim=32, hidden=48):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, dim, padding_idx=PAD)
        self.gru = nn.GRU(dim, hidden, batch_first=True)
        self.out = nn.Linear(hidden, len(TOPICS))

    def forward(self, tokens, lengths):
        packed = pack_padded_sequence(self.embed(tokens), lengths, batch_first=True, enforce_sorted=False)
        _, last = self.gru(packed)
        return self.out(last[-1])


def train(model, docs, labels, epochs=8, size=40):
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    criterion = nn.CrossEntropyLoss()
    docs, labels = by_length(docs, labels)
    buckets = list(batches(docs, labels, size))
    for epoch in range(epochs):
        model.train()
        random.shuffle(buckets)
        total, seen = 0.0, 0
        for tokens, lengths, target in buckets:
            optimizer.zero_grad()
            loss = criterion(model(tokens, lengths), target)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(target)
            seen += len(target)
        print(f"epoch {epoch}  loss {total / seen:.4f}")


@torch.no_grad()
def accuracy(model, docs, labels):
    model.eval()
    right = 0
    for tokens, lengths, target in batches(docs, labels, 100):
        right += (model(tokens, lengths).argmax(1) == target).sum().item()
    return right / len(labels)


def main():
    random.seed(3)
    torch.manual_seed(3)
    train_docs, train_labels = make_tickets(2000, seed=0)
    test_docs, test_labels = make_tickets(600, seed=1)
    model = TicketReader()
    train(model, train_docs, train_labels)
    print(f"result: {accuracy(model, test_docs, test_labels):.4f}")


if __name__ == "__main__":
    main()
