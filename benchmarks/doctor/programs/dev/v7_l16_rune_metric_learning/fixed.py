import argparse

import torch
import torch.nn as nn
import torch.nn.functional as F

parser = argparse.ArgumentParser(description="an embedding of carved runes for nearest-neighbour search")
parser.add_argument("--dim", type=int, default=6)
parser.add_argument("--temperature", type=float, default=0.2)
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--beta1", type=float, default=0.9)
parser.add_argument("--beta2", type=float, default=0.999)
parser.add_argument("--batch", type=int, default=160)
parser.add_argument("--steps", type=int, default=260)
parser.add_argument("--seed", type=int, default=16)
args = parser.parse_args()

torch.manual_seed(args.seed)
patterns = F.interpolate(torch.randn(14, 1, 4, 4), size=12, mode="bicubic").squeeze(1)


def carve(n):
    """12 x 12 pictures of 14 runes: shifted by up to two pixels, cut deeper or shallower, weathered."""
    rune = torch.randint(0, len(patterns), (n,))
    rows = []
    for k in rune.tolist():
        dy, dx = torch.randint(-2, 3, (2,)).tolist()
        moved = F.pad(patterns[k][None, None], (2, 2, 2, 2), mode="replicate")[0, 0]
        rows.append(moved[2 + dy:14 + dy, 2 + dx:14 + dx].flatten() * (0.6 + 0.8 * torch.rand(1)))
    return torch.stack(rows) + 0.6 * torch.randn(n, 144), rune


(x_tr, y_tr), (x_te, y_te) = carve(1600), carve(700)
centre, spread = x_tr.mean(), x_tr.std()
x_tr, x_te = (x_tr - centre) / spread, (x_te - centre) / spread

embed = nn.Sequential(
    nn.Linear(144, 128), nn.ReLU(),
    nn.Linear(128, 128), nn.ReLU(),
    nn.Linear(128, args.dim))


def contrastive(z, y, temperature):
    """Supervised contrastive loss: rows of the same rune attract, the others repel."""
    z = F.normalize(z, dim=1)
    itself = torch.eye(len(z), dtype=torch.bool)
    sim = (z @ z.T / temperature).masked_fill(itself, -1e9)
    logp = sim - sim.logsumexp(dim=1, keepdim=True)
    mates = (y[:, None] == y[None, :]) & ~itself
    n_mates = mates.sum(1)
    per_row = -(logp * mates).sum(1) / n_mates.clamp(min=1)
    return per_row[n_mates > 0].mean()


optimizer = torch.optim.Adam(embed.parameters(), lr=args.lr, betas=(args.beta1, args.beta2))
embed.train()
step = 0
while step < args.steps:
    for rows in torch.randperm(len(x_tr)).split(args.batch):
        if len(rows) < args.batch or step == args.steps:
            continue
        loss = contrastive(embed(x_tr[rows]), y_tr[rows], args.temperature)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        if step % 40 == 0:
            print(f"step {step}: contrastive loss {loss.item():.4f}")

embed.eval()
with torch.no_grad():
    gallery, probe = F.normalize(embed(x_tr), dim=1), F.normalize(embed(x_te), dim=1)
    nearest = (probe @ gallery.T).topk(5, dim=1).indices
    vote = y_tr[nearest].mode(dim=1).values
print(f"{len(y_te)} probes against a gallery of {len(y_tr)}")
print(f"result: {(vote == y_te).float().mean().item():.4f}")
