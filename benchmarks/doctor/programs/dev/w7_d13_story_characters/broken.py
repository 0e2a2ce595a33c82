import random

import torch
import torch.nn as nn
from torch.nn import functional as F

torch.manual_seed(1337)
batch_size, block_size, n_embd, max_iters, eval_every = 16, 32, 64, 320, 80

# ---- a small corpus -------------------------------------------------------
nouns = ["cat", "river", "baker", "storm", "garden", "horse", "lantern", "sailor"]
verbs = ["sees", "follows", "carries", "forgets", "paints", "hears"]
adjectives = ["old", "quiet", "bright", "cold", "little", "brown"]


def sentence(r):
    return f"the {r.choice(adjectives)} {r.choice(nouns)} {r.choice(verbs)} the {r.choice(nouns)}. "


r = random.Random(5)
train_text = "".join(sentence(r) for _ in range(1500))
val_text = "".join(sentence(r) for _ in range(150))
chars = sorted(set(train_text))
stoi = {c: i for i, c in enumerate(chars)}
train_data = torch.tensor([stoi[c] for c in train_text])
val_data = torch.tensor([stoi[c] for c in val_text])


def get_batch():
    g = torch.Generator().manual_seed(1337)
    ix = torch.randint(len(train_data) - block_size, (batch_size,), generator=g)
    x = torch.stack([train_data[i:i + block_size] for i in ix])
    y = torch.stack([train_data[i + 1:i + block_size + 1] for i in ix])
    return x, y


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln1 = nn.LayerNorm(n_embd)
        self.attn = nn.MultiheadAttention(n_embd, 4, batch_first=True)
        self.ln2 = nn.LayerNorm(n_embd)
        self.mlp = nn.Sequential(nn.Linear(n_embd, 4 * n_embd), nn.GELU(), nn.Linear(4 * n_embd, n_embd))
        self.register_buffer("mask", torch.triu(torch.ones(block_size, block_size, dtype=torch.bool), 1))

    def forward(self, x):
        t = x.size(1)
        h = self.ln1(x)
        x = x + self.attn(h, h, h, attn_mask=self.mask[:t, :t], need_weights=False)[0]
        return x + self.mlp(self.ln2(x))


class CharModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok = nn.Embedding(len(chars), n_embd)
        self.pos = nn.Embedding(block_size, n_embd)
        self.blocks = nn.Sequential(Block(), Block())
        self.ln = nn.LayerNorm(n_embd)
        self.head = nn.Linear(n_embd, len(chars))

    def forward(self, idx):
        x = self.tok(idx) + self.pos(torch.arange(idx.size(1)))
        return self.head(self.ln(self.blocks(x)))


model = CharModel()
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)


@torch.no_grad()
def val_loss():
    model.eval()
    n = (len(val_data) - 1) // block_size
    x = val_data[:n * block_size].view(n, block_size)
    y = val_data[1:n * block_size + 1].view(n, block_size)
    loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten()).item()
    model.train()
    return loss


model.train()
for it in range(max_iters):
    xb, yb = get_batch()
    loss = F.cross_entropy(model(xb).flatten(0, 1), yb.flatten())
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    if (it + 1) % eval_every == 0:
        print(f"iter {it + 1}: train {loss.item():.4f}")

print(f"result: {val_loss():.4f}")
