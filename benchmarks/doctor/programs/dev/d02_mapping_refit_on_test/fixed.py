import random

import torch
from torch import nn

TOPICS = {
    "cooking": "salt oven bread stir boil sugar knife pan",
    "garden": "seed soil spade leaf bloom rain hedge root",
    "music": "drum chord tune choir stage note bass song",
    "sport": "goal coach team race medal kick score ball",
    "travel": "train hotel visa map beach ticket suitcase harbour",
}
COMMON = "the a of and to in was with for very old new it on some then".split()


def write_texts(topics, count):
    texts, labels = [], []
    for _ in range(count):
        topic = random.choice(topics)
        words = random.choices(COMMON, k=14) + random.choices(TOPICS[topic].split(), k=3)
        words += random.choices(" ".join(TOPICS.values()).split(), k=2)
        random.shuffle(words)
        texts.append(words)
        labels.append(topic)
    return texts, labels


def number_classes(labels):
    return {name: i for i, name in enumerate(sorted(set(labels)))}


def encode(texts, labels, vocab, classes):
    ids = torch.tensor([[vocab[w] for w in words] for words in texts])
    return ids, torch.tensor([classes[name] for name in labels])


class BagOfWords(nn.Module):
    def __init__(self, words, classes):
        super().__init__()
        self.emb = nn.EmbeddingBag(words, 16)
        self.out = nn.Linear(16, classes)

    def forward(self, ids):
        return self.out(torch.relu(self.emb(ids)))


def main():
    random.seed(11)
    torch.manual_seed(11)
    train_texts, train_labels = write_texts(list(TOPICS), 1500)
    test_texts, test_labels = write_texts(["cooking", "music", "sport", "travel"], 300)

    vocab = {w: i for i, w in enumerate(sorted({w for t in train_texts for w in t}))}
    classes = number_classes(train_labels)
    ids, targets = encode(train_texts, train_labels, vocab, classes)
    test_ids, test_targets = encode(test_texts, test_labels, vocab, classes)

    model = BagOfWords(len(vocab), len(TOPICS))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for epoch in range(4):
        running = 0.0
        for rows in torch.randperm(len(ids)).split(50):
            loss = nn.functional.cross_entropy(model(ids[rows]), targets[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            running += loss.item()
        print("epoch", epoch, "loss", format(running / 30, ".6f"))

    with torch.no_grad():
        hits = (model(test_ids).argmax(1) == test_targets).sum().item()
    print(f"result: {hits / len(test_targets):.4f}")


if __name__ == "__main__":
    main()
