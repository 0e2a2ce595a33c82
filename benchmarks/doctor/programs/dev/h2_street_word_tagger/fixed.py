"""Tag every word of a short street description with one of five roles."""
import random

import torch
import torch.nn.functional as F
from torch import nn

random.seed(3)
torch.manual_seed(3)

VOCAB, LENGTH, ROLES = 48, 14, 5


def make_sentences(n):
    words = torch.randint(0, VOCAB, (n, LENGTH))
    before = torch.cat([torch.zeros(n, 1, dtype=torch.long), words[:, :-1]], dim=1)
    tags = ((words % 4) + (before % 2)) % ROLES
    return words, tags


def build():
    return nn.ModuleDict({
        "embed": nn.Embedding(VOCAB, 24),
        "rnn": nn.GRU(24, 32, batch_first=True, bidirectional=True),
        "score": nn.Linear(64, ROLES),
    })


def tag_scores(net, words):
    states, _ = net["rnn"](net["embed"](words))
    scores = net["score"](states)
    return scores


def epoch(net, optimizer, words, tags, size=32):
    order = torch.randperm(len(words))
    total = 0.0
    for chunk in order.split(size):
        predicted = tag_scores(net, words[chunk])
        loss = F.cross_entropy(predicted.transpose(1, 2), tags[chunk])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(chunk)
    return total / len(words)


@torch.no_grad()
def word_accuracy(net, words, tags):
    hits = (tag_scores(net, words).argmax(dim=-1) == tags).sum().item()
    return hits / tags.numel()


train_words, train_tags = make_sentences(1200)
test_words, test_tags = make_sentences(300)
net = build()
optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
for number in range(4):
    print(f"epoch {number} loss {epoch(net, optimizer, train_words, train_tags):.6f}")
print(f"result: {word_accuracy(net, test_words, test_tags):.4f}")
