import random

import torch
import torch.nn as nn
import torch.nn.functional as F

SUBJECTS = ["the cat", "my aunt", "a sailor", "the old king", "one robot", "our teacher"]
VERBS = ["paints", "eats", "hides", "finds", "carries", "wants"]
OBJECTS = ["a boat", "green apples", "the map", "an umbrella", "two stones", "warm bread"]
WHEN = ["today", "at night", "in may", "again", "after lunch"]


def story(sentences, dice):
    return "".join(
        f"{dice.choice(SUBJECTS)} {dice.choice(VERBS)} {dice.choice(OBJECTS)} {dice.choice(WHEN)}. "
        for _ in range(sentences))


class CharLM(nn.Module):
    def __init__(self, n_chars, hidden=64):
        super().__init__()
        self.embed = nn.Embedding(n_chars, 24)
        self.gru = nn.GRU(24, hidden, batch_first=True)
        self.out = nn.Linear(hidden, n_chars)

    def forward(self, ids):
        h, _ = self.gru(self.embed(ids))
        return F.log_softmax(self.out(h), dim=-1)


class Writer:
    def __init__(self, text, window=40):
        self.chars = sorted(set(text))
        self.index = {c: i for i, c in enumerate(self.chars)}
        self.window = window
        self.model = CharLM(len(self.chars))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=8e-3)
        self.criterion = nn.CrossEntropyLoss()

    def windows(self, text):
        ids = torch.tensor([self.index[c] for c in text])
        usable = (len(ids) - 1) // self.window * self.window
        return ids[:usable].view(-1, self.window), ids[1:usable + 1].view(-1, self.window)

    def train(self, text, epochs, batch=16):
        x, y = self.windows(text)
        for epoch in range(epochs):
            self.model.train()
            total, count = 0.0, 0
            for rows in torch.randperm(len(x)).split(batch):
                scores = self.model(x[rows])
                loss = self.criterion(scores.flatten(0, 1), y[rows].flatten())
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                total += loss.item() * len(rows)
                count += len(rows)
            print(f"epoch {epoch}: {total / count:.4f} nats per character")

    @torch.no_grad()
    def next_char_accuracy(self, text):
        self.model.eval()
        x, y = self.windows(text)
        return (self.model(x).argmax(-1) == y).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(6)
    dice = random.Random(6)
    train_text, test_text = story(500, dice), story(80, dice)
    writer = Writer(train_text)
    writer.train(train_text, epochs=5)
    print(f"result: {writer.next_char_accuracy(test_text):.4f}")
