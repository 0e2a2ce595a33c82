import random

import torch
import torch.nn.functional as F
from torch import nn

random.seed(11)
torch.manual_seed(11)

GOOD = "good great lovely warm funny sharp moving superb fresh honest clever tender".split()
BAD = "bad dull awful cold flat noisy slow empty stale clumsy tired boring".split()
PLAIN = ["w%d" % i for i in range(80)]
VOCAB = {word: i + 1 for i, word in enumerate(GOOD + BAD + PLAIN)}


def write_review(label):
    words = random.choices(PLAIN, k=random.randint(8, 26))
    spots = random.sample(range(len(words)), 4)
    for spot in spots[:3]:
        words[spot] = random.choice(GOOD if label else BAD)
    if random.random() < 0.5:
        words[spots[3]] = random.choice(BAD if label else GOOD)
    return words


def make_reviews(count):
    labels = [random.randint(0, 1) for _ in range(count)]
    return [write_review(label) for label in labels], labels


def by_length(texts, labels):
    """Reviews of similar length next to each other, so that little padding is needed."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    return [texts[i] for i in order], labels


def encode(texts):
    width = max(len(text) for text in texts)
    ids = torch.zeros(len(texts), width, dtype=torch.long)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = torch.tensor([VOCAB[word] for word in text])
    return ids


def make_batches(texts, labels, size):
    batches = []
    for start in range(0, len(texts), size):
        batches.append((encode(texts[start : start + size]), torch.tensor(labels[start : start + size])))
    return batches


class ReviewNet(nn.Module):
    def __init__(self, words, width=48, hidden=64):
        super().__init__()
        self.embed = nn.Embedding(words, width, padding_idx=0)
        self.gru = nn.GRU(width, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 2)

    def forward(self, ids):
        states, _ = self.gru(self.embed(ids))
        states = states.masked_fill((ids == 0).unsqueeze(-1), -1e4)
        return self.out(states.max(dim=1).values)


def train_epoch(net, batches, optimizer):
    net.train()
    random.shuffle(batches)
    total, count = 0.0, 0
    for ids, target in batches:
        loss = F.cross_entropy(net(ids), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(target)
        count += len(target)
    return total / count


@torch.no_grad()
def accuracy(net, batches):
    net.eval()
    hits = sum((net(ids).argmax(1) == target).sum().item() for ids, target in batches)
    return hits / sum(len(target) for _, target in batches)


def main():
    texts, labels = make_reviews(2000)
    test_texts, test_labels = make_reviews(500)
    texts, labels = by_length(texts, labels)
    train_batches = make_batches(texts, labels, 40)
    test_batches = make_batches(test_texts, test_labels, 100)

    net = ReviewNet(len(VOCAB) + 1)
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(9):
        loss = train_epoch(net, train_batches, optimizer)
        print(f"epoch {epoch + 1} loss {loss:.6f} test {accuracy(net, test_batches):.4f}")
    print(f"result: {accuracy(net, test_batches):.4f}")


main()
