import random

import torch
from torch import nn

TAGS = ["DET", "ADJ", "NOUN", "VERB", "ADV", "PREP", "PRON", "END"]
WORDS = {
    "DET": "the a this every".split(),
    "ADJ": "red small old light kind".split(),
    "NOUN": "house light boat walk kind river paint".split(),
    "VERB": "walk paint light boat see fish".split(),
    "ADV": "often well never fast".split(),
    "PREP": "near under with past".split(),
    "PRON": "she they we it".split(),
    "END": ". ! ?".split(),
}
PATTERNS = [
    "DET ADJ NOUN VERB DET NOUN ADV END",
    "PRON ADV VERB DET ADJ ADJ NOUN END",
    "DET NOUN VERB PREP DET ADJ NOUN END",
    "PRON VERB NOUN PREP DET NOUN ADV END",
    "ADV PRON VERB DET NOUN PREP PRON END",
]
VOCAB = {w: i for i, w in enumerate(sorted({w for ws in WORDS.values() for w in ws}))}


def corpus(n, rng):
    sentences, tags = [], []
    for _ in range(n):
        pattern = rng.choice(PATTERNS).split()
        sentences.append([VOCAB[rng.choice(WORDS[t])] for t in pattern])
        tags.append([TAGS.index(t) for t in pattern])
    return torch.tensor(sentences), torch.tensor(tags)


class Tagger(nn.Module):
    def __init__(self, emb=16, hidden=24):
        super().__init__()
        self.emb = nn.Embedding(len(VOCAB), emb)
        self.rnn = nn.GRU(emb, hidden, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * hidden, len(TAGS))

    def forward(self, words):
        return self.out(self.rnn(self.emb(words))[0])


def train(model, words, tags, epochs, lr):
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    for epoch in range(epochs):
        model.train()
        total = 0.0
        for rows in torch.randperm(len(words)).split(25):
            scores = model(words[rows])
            loss = nn.functional.cross_entropy(scores.transpose(1, 2), tags[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        print(f"epoch {epoch}: loss {total / len(words):.4f}")


def tag_accuracy(model, words, tags):
    model.eval()
    with torch.no_grad():
        guess = model(words).argmax(dim=1)
    return (guess == tags).float().mean().item()


def main():
    rng = random.Random(10)
    torch.manual_seed(10)
    words, tags = corpus(1000, rng)
    test_words, test_tags = corpus(250, rng)
    model = Tagger()
    train(model, words, tags, epochs=3, lr=5e-3)
    print(f"tag accuracy on new sentences: {tag_accuracy(model, test_words, test_tags):.4f}")


if __name__ == "__main__":
    main()
