# %%
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(33)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

# %%
KINDS, EACH = 12, 150
ink = F.interpolate(torch.randn(KINDS, 1, 6, 6), size=(18, 18), mode="bilinear", align_corners=False)
ink = (ink > 0).float()
glyphs, kinds = [], []
for k in range(KINDS):
    for _ in range(EACH):
        dy, dx = torch.randint(-2, 3, (2,)).tolist()
        moved = torch.roll(ink[k], (dy, dx), dims=(1, 2))
        noisy = 60 + 130 * moved + 55 * torch.randn(1, 18, 18)
        glyphs.append(noisy.clamp(0, 255).to(torch.uint8))
        kinds.append(k)
glyphs, kinds = torch.stack(glyphs), torch.tensor(kinds)

# %%
order = torch.randperm(len(glyphs))
train_glyphs, train_kinds = glyphs[order[:1400]], kinds[order[:1400]]
test_glyphs, test_kinds = glyphs[order[1400:]], kinds[order[1400:]]
mean, std = train_glyphs.float().mean().item(), train_glyphs.float().std().item()

# %%
net = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3),
    nn.Flatten(), nn.Linear(32 * 9, 32),
).to(device)
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
triplet = nn.TripletMarginLoss(margin=0.5)
by_kind = [torch.nonzero(train_kinds == k).squeeze(1) for k in range(KINDS)]


def embed(pixels):
    return F.normalize(net((pixels - mean) / std), dim=1)


def pick_from(kind):
    pool = by_kind[kind]
    return pool[torch.randint(len(pool), (1,))]


# %%
train_glyphs = train_glyphs.to(device, torch.float32)
net.train()
for step in range(1, 181):
    first = torch.randint(len(train_kinds), (48,))
    same = torch.cat([pick_from(train_kinds[i].item()) for i in first])
    other = torch.cat([pick_from((train_kinds[i].item() + torch.randint(1, KINDS, (1,)).item()) % KINDS) for i in first])
    a, p, n = (embed(train_glyphs[idx]) for idx in (first, same, other))
    loss = triplet(a, p, n)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 40 == 0:
        print(step, round(loss.item(), 4))

# %%
net.eval()
with torch.no_grad():
    known = embed(train_glyphs).cpu()
    fresh = embed(test_glyphs.to(device, torch.float32)).cpu()
centres = torch.stack([known[rows].mean(0) for rows in by_kind])
found = torch.cdist(fresh, centres).argmin(1)
print(f"result: {(found == test_kinds).float().mean().item():.4f}")
