import torch
from torch import nn
import torch.nn.functional as F


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 32))
        self.project = nn.Sequential(nn.ReLU(), nn.Linear(32, 16))

    def forward(self, x):
        return F.normalize(self.project(self.body(x)), dim=1)


def view(x):
    keep = (torch.rand_like(x) > 0.2).float()
    return x * keep + 0.3 * torch.randn_like(x)


def nt_xent(a, b, temperature=0.2):
    z = torch.cat([a, b])
    similarity = z @ z.t() / temperature
    similarity.fill_diagonal_(float("-inf"))
    n = len(a)
    partner = torch.cat([torch.arange(n, 2 * n), torch.arange(n)])
    return F.cross_entropy(similarity, partner)


class Pretraining:
    def __init__(self, encoder, lr):
        self.encoder, self.opt = encoder, torch.optim.Adam(encoder.parameters(), lr=lr)

    def run(self, x, epochs, size):
        for epoch in range(epochs):
            losses = []
            for rows in torch.randperm(len(x)).split(size):
                loss = nt_xent(self.encoder(view(x[rows])), self.encoder(view(x[rows])))
                self.opt.zero_grad()
                loss.backward()
                self.opt.step()
                losses.append(loss.item())
            print(f"epoch {epoch} contrastive loss {sum(losses) / len(losses):.6f}")


torch.manual_seed(16)
centre = torch.randn(5, 30)
y = torch.randint(0, 5, (2000,))
x = centre[y] + 0.8 * torch.randn(2000, 30)
encoder = Encoder()
Pretraining(encoder, 2e-3).run(x[:1600], 8, 100)

with torch.no_grad():
    features = encoder.body(x)
probe = nn.Linear(32, 5)
opt = torch.optim.Adam(probe.parameters(), lr=0.02)
for epoch in range(4):
    losses = []
    for rows in torch.randperm(1600).split(50):
        loss = F.cross_entropy(probe(features[rows]), y[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    print(f"epoch {epoch} probe loss {sum(losses) / len(losses):.6f}")
with torch.no_grad():
    print(f"result: {(probe(features[1600:]).argmax(1) == y[1600:]).float().mean().item():.4f}")
