"""A small transformer reads the token codes of a packet and says which relay sent it."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

CODES, RELAYS, TOKENS = 40, 6, 16


class SelfMix(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) / math.sqrt(d // self.heads)).softmax(dim=-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(b, t, d))


class Block(nn.Module):
    def __init__(self, dim, heads, drop):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.mix = SelfMix(dim, heads)
        self.widen = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
        self.drop = drop

    def forward(self, x):
        x = x + F.dropout(self.mix(self.norm1(x)), p=self.drop)
        return x + F.dropout(self.widen(self.norm2(x)), p=self.drop)


class PacketReader(nn.Module):
    def __init__(self, dim=48, depth=2, heads=4, drop=0.3):
        super().__init__()
        self.embed = nn.Embedding(CODES, dim)
        self.place = nn.Parameter(0.02 * torch.randn(1, TOKENS, dim))
        self.blocks = nn.ModuleList([Block(dim, heads, drop) for _ in range(depth)])
        self.norm = nn.LayerNorm(dim)
        self.out = nn.Linear(dim, RELAYS)

    def forward(self, codes):
        x = self.embed(codes) + self.place
        for block in self.blocks:
            x = block(x)
        return self.out(self.norm(x.mean(dim=1)))


class Traffic:
    """Every relay has its own habit: which code follows which."""

    def __init__(self, generator):
        self.g = generator
        self.habit = torch.stack([torch.randperm(CODES, generator=generator) for _ in range(RELAYS)])

    def capture(self, n):
        relay = torch.randint(RELAYS, (n,), generator=self.g)
        codes = torch.randint(CODES, (n, TOKENS), generator=self.g)
        for t in range(1, TOKENS):
            follow = torch.rand(n, generator=self.g) < 0.55
            start = codes[:, t - 1] % 8
            codes[:, t] = torch.where(follow, self.habit[relay, start], codes[:, t])
        return codes, relay


class Run:
    def __init__(self, model, train, test, batch=40):
        self.model, self.train_data, self.test_data, self.batch = model, train, test, batch
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)

    def epoch(self):
        self.model.train()
        codes, relay = self.train_data
        total = 0.0
        for pick in torch.randperm(len(codes)).split(self.batch):
            self.optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(self.model(codes[pick]), relay[pick])
            loss.backward(retain_graph=True)
            self.optimizer.step()
            total += loss.item() * len(pick)
        return total / len(codes)

    def accuracy(self):
        self.model.eval()
        codes, relay = self.test_data
        with torch.inference_mode():
            guess = torch.cat([self.model(c).argmax(-1) for c in codes.split(100)])
        return (guess == relay).float().mean().item()


torch.manual_seed(77)
traffic = Traffic(torch.Generator().manual_seed(78))
run = Run(PacketReader(), traffic.capture(1600), traffic.capture(400))
for number in range(1, 8):
    print(f"epoch {number}: loss {run.epoch():.6f}")
print(f"result: {run.accuracy():.4f}")
