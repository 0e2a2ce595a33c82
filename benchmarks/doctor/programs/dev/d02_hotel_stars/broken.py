# stars (1 to 5) from the words of a hotel review
import random

import torch
import torch.nn as nn
import torch.optim as optim

random.seed(505)
torch.manual_seed(505)

moods = {
    -2: ["dirty", "awful", "cockroach", "rude", "broken", "mould"],
    -1: ["noisy", "small", "cold", "slow", "old", "pricey"],
    0: ["room", "hotel", "bed", "night", "street", "lift", "window", "breakfast", "we", "stayed", "the", "was"],
    1: ["clean", "nice", "quiet", "close", "friendly", "comfy"],
    2: ["superb", "perfect", "wonderful", "stunning", "loved", "spotless"],
}
dictionary = {w: i for i, w in enumerate(w for words in moods.values() for w in words)}


def review():
    wish = random.choice([-2, -1, 0, 1, 2])
    words, total = [], 0
    for _ in range(random.randint(10, 18)):
        m = random.choices([-2, -1, 0, 1, 2], weights=[1.6 ** -abs(k - wish) for k in (-2, -1, 0, 1, 2)])[0]
        words.append(random.choice(moods[m]))
        total += m
    mean = total / len(words) * 1.9
    return words, 1 + sum(mean > edge for edge in (-1.2, -0.4, 0.4, 1.2))


def read(n):
    texts, stars = zip(*[review() for _ in range(n)])
    ids = [torch.tensor([dictionary[w] for w in words]) for words in texts]
    return ids, list(stars)


texts, stars = read(2600)
fresh_texts, fresh_stars = read(700)
y = torch.tensor(stars) - 1
fresh_y = torch.tensor(fresh_stars)


def bag(some):
    starts = torch.tensor([0] + [len(t) for t in some[:-1]]).cumsum(0)
    return torch.cat(some), starts


class Taste(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.EmbeddingBag(len(dictionary), 24, mode="mean")
        self.mix = nn.Linear(24, 32)
        self.stars = nn.Linear(32, 5)

    def forward(self, ids, starts):
        return self.stars(torch.relu(self.mix(self.words(ids, starts))))


taste = Taste()
optimizer = optim.Adam(taste.parameters(), lr=0.01)
criterion = nn.CrossEntropyLoss()

for epoch in range(10):
    taste.train()
    loss_sum = 0.0
    for rows in torch.randperm(len(texts)).split(50):
        optimizer.zero_grad()
        loss = criterion(taste(*bag([texts[i] for i in rows.tolist()])), y[rows])
        loss.backward()
        optimizer.step()
        loss_sum += loss.item() * len(rows)
    print(f"epoch {epoch}: {loss_sum / len(texts):.4f}")

taste.eval()
right = 0
with torch.no_grad():
    for part in torch.arange(len(fresh_texts)).split(100):
        guess = taste(*bag([fresh_texts[i] for i in part.tolist()])).argmax(dim=1)
        right += (guess == fresh_y[part]).sum().item()
print(f"stars guessed exactly for {right} of {len(fresh_texts)} fresh reviews ({right / len(fresh_texts):.4f})")
