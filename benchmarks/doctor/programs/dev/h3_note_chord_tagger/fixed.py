import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

NOTES, CHORDS, LENGTH = 24, 5, 16
WIDTH, HEADS, LAYERS = 32, 4, 1
BATCH, EPOCHS = 50, 14

np.random.seed(14)
torch.manual_seed(14)


def melodies(count):
    """Chord of every note: from the note itself and the one before."""
    notes = np.random.randint(0, NOTES, (count, LENGTH))
    before = np.roll(notes, 1, axis=1)
    before[:, 0] = 0
    chords = (notes % 12 // 3 + (before >= 12) * (notes % 2)) % CHORDS
    return torch.from_numpy(notes), torch.from_numpy(chords)


def positions(length, width):
    at = torch.arange(length).unsqueeze(1)
    rate = torch.exp(torch.arange(0, width, 2) * (-math.log(1000.0) / width))
    table = torch.zeros(length, width)
    table[:, 0::2] = torch.sin(at * rate)
    table[:, 1::2] = torch.cos(at * rate)
    return table


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.join = nn.Linear(width, width)

    def forward(self, x):
        b, t, w = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, w // self.heads).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.join(mixed.transpose(1, 2).reshape(b, t, w))


class Layer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attention = Attention(width, heads)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.feed = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.feed(self.norm2(x))


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(NOTES, WIDTH)
        self.register_buffer("places", positions(LENGTH, WIDTH))
        self.layers = nn.ModuleList(Layer(WIDTH, HEADS) for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        self.tag = nn.Linear(WIDTH, CHORDS)

    def forward(self, notes):
        x = self.embed(notes) + self.places
        for layer in self.layers:
            x = layer(x)
        return self.tag(self.norm(x))


train_notes, train_chords = melodies(2000)
test_notes, test_chords = melodies(500)

model = Tagger()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.98), weight_decay=0.01)

for epoch in range(EPOCHS):
    model.train()
    order = torch.randperm(len(train_notes))
    epoch_loss = 0.0
    for begin in range(0, len(order), BATCH):
        rows = order[begin : begin + BATCH]
        logits = model(train_notes[rows])
        loss = F.cross_entropy(logits.view(-1, CHORDS), train_chords[rows].view(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() * len(rows)
    print(f"epoch {epoch:2d} | loss {epoch_loss / len(order):.6f}")

model.eval()
with torch.inference_mode():
    tags = model(test_notes).argmax(dim=-1)
accuracy = (tags == test_chords).sum().item() / test_chords.numel()
print(f"result: {accuracy:.4f}")
