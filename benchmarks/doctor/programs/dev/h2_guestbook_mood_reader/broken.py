import random

import torch
import torch.nn as nn

GOOD = "Lovely Splendid Warm Friendly Spotless Quiet Delicious Generous Sunny Cosy".split()
POOR = "Noisy Rude Cold Dirty Stale Broken Cramped Slow Damp Shabby".split()
FILL = "The Room Was And Our Host Breakfast Very We Found Garden Staff Bed A Bit Then Again Stay Town Evening".split()


def entry(rng, mood, length=14):
    words = [rng.choice(FILL) for _ in range(length)]
    for place in rng.sample(range(length), 4):
        words[place] = rng.choice(GOOD if mood else POOR)
    # one word of the other kind, so that counting is needed
    words[rng.randrange(length)] = rng.choice(POOR if mood else GOOD)
    return " ".join(words)


class Vocabulary:
    def __init__(self, texts):
        self.index = {"<unk>": 0}
        for text in texts:
            for word in text.split():
                self.index.setdefault(word, len(self.index))

    def encode(self, text):
        words = text.lower().split()
        return [self.index.get(word, 0) for word in words]


class MoodGRU(nn.Module):
    def __init__(self, vocabulary_size, dim=24, hidden=32):
        super().__init__()
        self.embed = nn.Embedding(vocabulary_size, dim)
        self.gru = nn.GRU(dim, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 2)

    def forward(self, ids):
        _, last = self.gru(self.embed(ids))
        return self.out(last[-1])


def collect(rng, count, vocabulary=None):
    moods = [rng.randint(0, 1) for _ in range(count)]
    texts = [entry(rng, mood) for mood in moods]
    vocabulary = vocabulary or Vocabulary(texts)
    return torch.tensor([vocabulary.encode(t) for t in texts]), torch.tensor(moods), vocabulary


torch.manual_seed(2)
rng = random.Random(2)
train_ids, train_moods, vocabulary = collect(rng, 1500)
test_ids, test_moods, _ = collect(rng, 400, vocabulary)

model = MoodGRU(len(vocabulary.index))
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
loss_fn = nn.CrossEntropyLoss()

for epoch in range(5):
    model.train()
    running = 0.0
    for rows in torch.randperm(len(train_ids)).split(50):
        loss = loss_fn(model(train_ids[rows]), train_moods[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item() * len(rows)
    print(f"epoch {epoch + 1}, loss {running / len(train_ids):.6f}")

model.eval()
with torch.no_grad():
    correct = (model(test_ids).argmax(dim=1) == test_moods).sum().item()
print(f"result: {correct / len(test_moods):.4f}")
