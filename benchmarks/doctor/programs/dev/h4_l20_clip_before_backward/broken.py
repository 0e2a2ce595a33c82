import random

import torch
import torch.nn as nn

random.seed(17)
torch.manual_seed(17)

SUBJECTS = ["the cat", "a sailor", "my aunt", "the old dog", "a student"]
VERBS = ["sees", "likes", "paints", "follows", "forgets"]
OBJECTS = ["the moon", "a ship", "green apples", "the garden", "some letters"]


def story(sentences):
    return "".join(
        f"{random.choice(SUBJECTS)} {random.choice(VERBS)} {random.choice(OBJECTS)}. " for _ in range(sentences))


train_text, valid_text = story(900), story(120)
chars = sorted(set(train_text))
stoi = {c: i for i, c in enumerate(chars)}


def encode(text, length=40):
    ids = torch.tensor([stoi[c] for c in text])
    rows = (len(ids) - 1) // length
    x = ids[:rows * length].view(rows, length)
    y = ids[1:rows * length + 1].view(rows, length)
    return x, y


class CharGRU(nn.Module):
    def __init__(self, vocab, hidden=64):
        super().__init__()
        self.embed = nn.Embedding(vocab, 24)
        self.gru = nn.GRU(24, hidden, batch_first=True)
        self.out = nn.Linear(hidden, vocab)

    def forward(self, x):
        states, _ = self.gru(self.embed(x))
        return self.out(states)


x_train, y_train = encode(train_text)
x_valid, y_valid = encode(valid_text)
model = CharGRU(len(chars))
optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)
criterion = nn.CrossEntropyLoss()
CLIP = 1.0

for epoch in range(5):
    model.train()
    losses = []
    for rows in torch.randperm(len(x_train)).split(32):
        logits = model(x_train[rows])
        loss = criterion(logits.flatten(0, 1), y_train[rows].flatten())
        optimizer.zero_grad()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch} loss {sum(losses) / len(losses):.4f}")

model.eval()
with torch.no_grad():
    right = (model(x_valid).argmax(-1) == y_valid).float().mean().item()
print(f"next-letter accuracy: {right:.4f}")
