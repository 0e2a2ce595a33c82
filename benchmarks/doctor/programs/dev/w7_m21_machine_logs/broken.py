import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(10)

# Machine logs: 24 events of 30 kinds. A fault family (0 to 3) writes three of its own five event kinds somewhere.
KINDS, LENGTH, FAMILIES = 30, 24, 4
gen = torch.Generator().manual_seed(77)


def logs(n):
    family = torch.randint(0, FAMILIES, (n,), generator=gen)
    events = torch.randint(20, KINDS, (n, LENGTH), generator=gen)
    events[torch.rand(n, LENGTH, generator=gen) < 0.15] = 0
    places = torch.rand(n, LENGTH, generator=gen).topk(4, dim=1).indices
    own = family[:, None] * 5 + torch.randint(0, 5, (n, 3), generator=gen)
    other = torch.randint(0, 20, (n, 1), generator=gen)
    events.scatter_(1, places, torch.cat([own, other], dim=1))
    return events, family


train_events, train_family = logs(3000)
test_events, test_family = logs(1000)


class SelfAttention(nn.Module):
    def __init__(self, dim, heads, dropout):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=self.dropout)
        return self.proj(y.transpose(1, 2).reshape(b, t, d))


class LogReader(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.kind = nn.Embedding(KINDS, dim)
        self.place = nn.Parameter(0.02 * torch.randn(LENGTH, dim))
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(dim) for _ in range(3))
        self.attend = SelfAttention(dim, heads=4, dropout=0.1)
        self.mlp = nn.Sequential(nn.Linear(dim, 64), nn.GELU(), nn.Linear(64, dim))
        self.family = nn.Linear(dim, FAMILIES)

    def forward(self, events):
        h = self.kind(events) + self.place
        h = h + self.attend(self.norm1(h))
        h = h + self.mlp(self.norm2(h))
        return self.family(self.norm3(h).mean(dim=1))


reader = LogReader()
optimizer = torch.optim.AdamW(reader.parameters(), lr=2e-3, weight_decay=0.01)

for epoch in range(8):
    reader.train()
    total = 0.0
    for idx in torch.randperm(len(train_events)).split(75):
        loss = F.cross_entropy(reader(train_events[idx]), train_family[idx])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(idx)
    print(f"epoch {epoch + 1}: loss {total / len(train_events):.4f}")

reader.eval()
with torch.inference_mode():
    hits = sum((reader(e).argmax(1) == f).sum().item() for e, f in zip(test_events.split(250), test_family.split(250)))
print(f"result: {hits / len(test_events):.4f}")
