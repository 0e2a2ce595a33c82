import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(7)
SPEAKERS, PER, DIM, NUISANCE = 24, 50, 40, 12

# utterance vectors: a weak speaker part inside strong channel noise
voice = torch.randn(SPEAKERS, DIM)
channel = 1.2 * torch.randn(NUISANCE, DIM)
speaker = torch.arange(SPEAKERS).repeat_interleave(PER)
vectors = voice[speaker] + torch.randn(len(speaker), NUISANCE) @ channel + 0.4 * torch.randn(len(speaker), DIM)

take = torch.arange(len(speaker)) % PER
train_x, train_s = vectors[take < 35], speaker[take < 35]
test_x, test_s = vectors[take >= 35], speaker[take >= 35]
mean, std = train_x.mean(0), train_x.std(0)
train_x, test_x = (train_x - mean) / std, (test_x - mean) / std
members = [torch.nonzero(train_s == s).squeeze(1) for s in range(SPEAKERS)]

encoder = nn.Sequential(nn.Linear(DIM, 128), nn.ReLU(), nn.Linear(128, 32))
optimizer = torch.optim.Adam(encoder.parameters(), lr=2e-3)

def draw(s, n):
    return members[s][torch.randint(len(members[s]), (n,))]

for step in range(301):
    encoder.train()
    losses = []
    for s in torch.randperm(SPEAKERS)[:12].tolist():
        other = (s + int(torch.randint(1, SPEAKERS, (1,)))) % SPEAKERS
        a, p, n = (F.normalize(encoder(train_x[rows]), dim=1)
                   for rows in (draw(s, 8), draw(s, 8), draw(other, 8)))
        losses.append(F.triplet_margin_loss(a, p, n, margin=0.5))
    loss = torch.stack(losses).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 80 == 0:
        print(f"step {step}: triplet loss {loss.item():.4f}")

encoder.eval()
with torch.no_grad():
    known = F.normalize(encoder(train_x), dim=1)
    centres = F.normalize(torch.stack([known[m].mean(0) for m in members]), dim=1)
    nearest = (F.normalize(encoder(test_x), dim=1) @ centres.T).argmax(1)
print(f"result: {(nearest == test_s).float().mean().item():.4f}")
