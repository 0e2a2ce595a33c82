import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(1337)
rng = np.random.default_rng(1337)

# a small made-up language: a Markov chain over words, written as characters
words = ["lima", "toro", "besu", "kan", "fisho", "wamu", "dri", "zel", "opan", "guta", "mihi", "ru"]
follow = rng.dirichlet(np.full(len(words), 0.2), size=len(words))
w, pieces = 0, []
for _ in range(6000):
    w = rng.choice(len(words), p=follow[w])
    pieces.append(words[w])
text = " ".join(pieces)
chars = sorted(set(text))
stoi = {c: i for i, c in enumerate(chars)}
ids = torch.tensor([stoi[c] for c in text])
cut = int(0.9 * len(ids))
train_ids, val_ids = ids[:cut], ids[cut:]

T, B, D = 32, 24, 48


def sample_batch():
    starts = rng.integers(0, len(train_ids) - T - 1, size=B)
    x = torch.stack([train_ids[s:s + T] for s in starts])
    y = torch.stack([train_ids[s + 1:s + T + 1] for s in starts])
    return x, y


class Block(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.ln1, self.ln2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.ff = nn.Sequential(nn.Linear(d, 4 * d), nn.GELU(), nn.Linear(4 * d, d))

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = self.qkv(self.ln1(x)).view(n, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.proj(a.transpose(1, 2).reshape(n, t, d))
        return x + self.ff(self.ln2(x))


class CharLM(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok, self.pos = nn.Embedding(len(chars), D), nn.Embedding(T, D)
        self.blocks = nn.Sequential(Block(D, 4), Block(D, 4))
        self.ln = nn.LayerNorm(D)
        self.out = nn.Linear(D, len(chars))

    def forward(self, x):
        h = self.tok(x) + self.pos(torch.arange(x.shape[1]))
        return self.out(self.ln(self.blocks(h)))


model = CharLM()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
steps = 200
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)

model.train()
for step in range(steps):
    x, y = sample_batch()
    logits = model(x)
    loss = F.cross_entropy(logits.flatten(0, 1), y.flatten())
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    scheduler.step()
    if step % 25 == 0:
        print(f"step {step:3d}  loss {loss.item():.3f}")

# every complete window of the held-out text
n_win = (len(val_ids) - 1) // T
vx = val_ids[:n_win * T].view(n_win, T)
vy = val_ids[1:n_win * T + 1].view(n_win, T)
model.eval()
with torch.no_grad():
    hits = sum((model(a).argmax(-1) == b).sum().item() for a, b in zip(vx.split(64), vy.split(64)))
print(f"held-out characters: {vy.numel()}")
print(f"result: {hits / vy.numel():.4f}")
