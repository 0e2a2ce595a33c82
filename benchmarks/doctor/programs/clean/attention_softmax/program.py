import math
import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)

    def forward(self, x):
        scores = self.query(x) @ self.key(x).transpose(1, 2) / math.sqrt(x.shape[-1])
        return torch.softmax(scores, dim=-1) @ self.value(x)


class Pointer(nn.Module):
    """Which place holds the marked word? The scores of the places are the logits."""

    def __init__(self, words, length, width=24):
        super().__init__()
        self.embed = nn.Embedding(words, width)
        self.position = nn.Embedding(length, width)
        self.attention = Attention(width)
        self.score = nn.Linear(width, 1)

    def forward(self, ids):
        x = self.embed(ids) + self.position(torch.arange(ids.shape[1]))
        x = x + self.attention(x)
        return self.score(torch.relu(x)).squeeze(-1)


def make(n, length=10):
    ids = torch.randint(1, 15, (n, length))
    place = torch.randint(0, length, (n,))
    ids[torch.arange(n), place] = 15 + torch.randint(0, 5, (n,))
    return ids, place


torch.manual_seed(41)
ids, place = make(1500)
ids_test, place_test = make(400)
net = Pointer(20, 10)
opt = torch.optim.AdamW(net.parameters(), lr=5e-3)
for epoch in range(4):
    total = 0.0
    for rows in torch.randperm(1500).split(30):
        loss = nn.functional.cross_entropy(net(ids[rows]), place[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() / 50
    print(f"epoch {epoch} {total:.6f}")
net.eval()
with torch.no_grad():
    print(f"result: {(net(ids_test).argmax(1) == place_test).float().mean().item():.4f}")
