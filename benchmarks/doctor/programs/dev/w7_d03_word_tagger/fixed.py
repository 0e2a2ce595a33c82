import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

VOCAB, TAGS, LENGTH = 90, 5, 18


def make_sentences(rng, kind_of_word, grammar, n):
    words = rng.integers(1, VOCAB, size=(n, LENGTH))
    kinds = kind_of_word[words]
    before = np.concatenate([np.zeros((n, 1), dtype=int), kinds[:, :-1]], axis=1)
    tags = grammar[before, kinds]
    flip = rng.random(tags.shape) < 0.03
    tags = np.where(flip, rng.integers(0, TAGS, size=tags.shape), tags)
    return torch.from_numpy(words), torch.from_numpy(tags)


class Tagger(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, width)
        self.reader = nn.GRU(width, width, batch_first=True, bidirectional=True)
        self.score = nn.Linear(2 * width, TAGS)

    def forward(self, words):
        states, _ = self.reader(self.embed(words))
        return self.score(states)


def batches(words, tags, size):
    order = torch.randperm(len(words))
    for start in range(0, len(order), size):
        pick = order[start:start + size]
        yield words[pick], tags[pick]


def train_epoch(net, opt, words, tags):
    net.train()
    running = 0.0
    for w, t in batches(words, tags, 64):
        scores = net(w)
        loss = F.cross_entropy(scores.transpose(1, 2), t)
        opt.zero_grad()
        loss.backward()
        opt.step()
        running += loss.item() * len(w)
    return running / len(words)


@torch.no_grad()
def tag_accuracy(net, words, tags):
    net.eval()
    return (net(words).argmax(-1) == tags).float().mean().item()


def main():
    torch.manual_seed(5)
    rng = np.random.default_rng(5)
    kind_of_word = rng.integers(0, 6, size=VOCAB)
    grammar = rng.integers(0, TAGS, size=(6, 6))
    train = make_sentences(rng, kind_of_word, grammar, 1400)
    test = make_sentences(rng, kind_of_word, grammar, 400)
    net = Tagger()
    opt = torch.optim.Adam(net.parameters(), lr=4e-3)
    for epoch in range(10):
        loss = train_epoch(net, opt, *train)
        print(f"epoch {epoch + 1}: loss {loss:.4f}")
    print(f"result: {tag_accuracy(net, *test):.4f}")


if __name__ == "__main__":
    main()
