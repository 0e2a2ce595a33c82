import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(37)
V, L, W = 20, 8, 24


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(V, W)
        self.place = nn.Parameter(0.1 * torch.randn(L, W))
        self.block = nn.TransformerEncoderLayer(W, 4, 48, dropout=0.0, batch_first=True)
        self.out = nn.Linear(W, 2)

    def forward(self, ids, prompt=None):
        x = self.words(ids) + self.place
        if prompt is not None:
            x = torch.cat([prompt.expand(len(ids), -1, -1), x], dim=1)
        return self.out(self.block(x).mean(dim=1))


def batch(n, shift):
    ids = torch.randint(0, V, (n, L))
    return ids, ((ids < V // 2).sum(1) > L // 2 - shift).long()


def fit(forward, opt, ids, y, epochs):
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(ids)).split(40):
            loss = F.cross_entropy(forward(ids[rows]), y[rows])
            opt.zero_grad()
            loss.backward()
            opt.step()
            total += loss.item() * len(rows)
        print(f"epoch {epoch} {total / len(ids):.6f}")


reader = Reader()
fit(reader, torch.optim.Adam(reader.parameters(), lr=5e-3), *batch(1200, 0), epochs=3)
for p in reader.parameters():
    p.requires_grad_(False)
prompt = torch.randn(1, 4, W, requires_grad=True)
fit(lambda ids: reader(ids, prompt), torch.optim.Adam([prompt], lr=0.05), *batch(800, 2), epochs=4)

reader.eval()
ids, y = batch(400, 2)
with torch.no_grad():
    print(f"result: {(reader(ids, prompt).argmax(1) == y).float().mean().item():.4f}")
