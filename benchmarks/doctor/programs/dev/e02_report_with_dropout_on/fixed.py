"""Spam filter: a 1-D CNN over word vectors, with a validation report after each epoch."""
import random

import torch
import torch.nn as nn

HAM = "meeting lunch report family photo budget draft school thanks flight".split()
SPAM = "winner free prize credit pills cheap click bonus casino offer".split()
FILLER = "the and to you we is this for on with at your my can will have just now see one".split()
VOCAB = {w: i + 1 for i, w in enumerate(sorted(HAM + SPAM + FILLER))}


def mails(count, length=20):
    rows, labels = [], []
    for _ in range(count):
        spam = random.random() < 0.5
        words = random.choices(FILLER, k=length - 5)
        words += random.choices(SPAM if spam else HAM, k=3) + random.choices(HAM + SPAM, k=2)
        random.shuffle(words)
        rows.append([VOCAB[w] for w in words])
        labels.append(float(spam))
    return torch.tensor(rows), torch.tensor(labels)


class SpamNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(len(VOCAB) + 1, 20)
        self.conv = nn.Conv1d(20, 48, 3, padding=1)
        self.dropout = nn.Dropout(0.3)
        self.fc = nn.Linear(48, 1)

    def forward(self, ids):
        x = self.embedding(ids).transpose(1, 2)
        x = torch.relu(self.conv(x)).amax(dim=2)
        return self.fc(self.dropout(x)).squeeze(1)


def evaluate(model, ids, labels):
    model.eval()
    right = 0
    with torch.no_grad():
        for x, y in zip(ids.split(100), labels.split(100)):
            right += ((model(x) > 0).float() == y).sum().item()
    return right / len(labels)


def train(model, ids, labels, val, epochs=5):
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    criterion = nn.BCEWithLogitsLoss()
    for epoch in range(epochs):
        model.train()
        losses = []
        for rows in torch.randperm(len(ids)).split(40):
            optimizer.zero_grad()
            loss = criterion(model(ids[rows]), labels[rows])
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"epoch {epoch}  loss {sum(losses) / len(losses):.4f}  val {evaluate(model, *val):.4f}")


def main():
    random.seed(37)
    torch.manual_seed(37)
    train_ids, train_labels = mails(1600)
    val, test = mails(400), mails(600)
    model = SpamNet()
    train(model, train_ids, train_labels, val)
    print(f"result: {evaluate(model, *test):.4f}")


if __name__ == "__main__":
    main()
