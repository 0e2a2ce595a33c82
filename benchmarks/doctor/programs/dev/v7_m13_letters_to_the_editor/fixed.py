import random

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

WORDS, WORDS_PER_SENTENCE, TOPICS = 120, 8, 4


def write_letter(rng):
    """Each topic has pairs of words that stand next to each other in some of the sentences."""
    topic = rng.randrange(TOPICS)
    sentences = []
    for _ in range(rng.randint(3, 6)):
        words = [rng.randrange(WORDS) for _ in range(WORDS_PER_SENTENCE)]
        if rng.random() < 0.7:
            k = rng.randrange(WORDS_PER_SENTENCE - 1)
            words[k], words[k + 1] = 10 * topic + rng.randrange(10), 40 + 10 * topic + rng.randrange(10)
        sentences.append(words)
    return sentences, topic


def collate(letters):
    letters = sorted(letters, key=lambda pair: -len(pair[0]))
    sentences = torch.tensor([s for sentences, _ in letters for s in sentences])
    counts = [len(sentences) for sentences, _ in letters]
    return sentences, counts, torch.tensor([topic for _, topic in letters])


class LetterReader(nn.Module):
    def __init__(self, dim=32, hidden=32):
        super().__init__()
        self.words = nn.Embedding(WORDS, dim)
        self.sentence = nn.GRU(dim, hidden, batch_first=True, bidirectional=True)
        self.letter = nn.GRU(2 * hidden, hidden, batch_first=True)
        self.topic = nn.Linear(hidden, TOPICS)

    def forward(self, sentences, counts):
        states, _ = self.sentence(self.words(sentences))
        vectors = states.amax(dim=1)
        padded = torch.zeros(len(counts), max(counts), vectors.size(1))
        first = 0
        for row, count in enumerate(counts):
            padded[row, :count] = vectors[first:first + count]
            first += count
        packed = pack_padded_sequence(padded, counts, batch_first=True)
        _, h = self.letter(packed)
        return self.topic(h[-1])


class Trainer:
    def __init__(self, model, train_letters, test_letters, batch=32, lr=4e-3, seed=0):
        self.model, self.batch = model, batch
        self.train_letters, self.test_letters = train_letters, test_letters
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        self.loss = nn.CrossEntropyLoss()
        self.rng = random.Random(seed)

    def batches(self, letters, shuffle):
        letters = list(letters)
        if shuffle:
            self.rng.shuffle(letters)
        for k in range(0, len(letters), self.batch):
            yield collate(letters[k:k + self.batch])

    def train_epoch(self):
        self.model.train()
        total = 0.0
        for sentences, counts, topics in self.batches(self.train_letters, shuffle=True):
            loss = self.loss(self.model(sentences, counts), topics)
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
            self.optimizer.step()
            total += loss.item() * len(topics)
        return total / len(self.train_letters)

    @torch.no_grad()
    def accuracy(self):
        self.model.eval()
        right = 0
        for sentences, counts, topics in self.batches(self.test_letters, shuffle=False):
            right += (self.model(sentences, counts).argmax(1) == topics).sum().item()
        return right / len(self.test_letters)


if __name__ == "__main__":
    torch.manual_seed(6)
    rng = random.Random(6)
    letters = [write_letter(rng) for _ in range(2600)]
    trainer = Trainer(LetterReader(), letters[:2100], letters[2100:])
    for epoch in range(6):
        print(f"epoch {epoch}: {trainer.train_epoch():.4f}")
    print(f"result: {trainer.accuracy():.4f}")
