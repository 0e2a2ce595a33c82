import torch
from torch import nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(11)
patterns = torch.randn(6, 1, 8, 8)
Y = torch.randint(0, 6, (1300,))
X = patterns[Y] + 0.9 * torch.randn(1300, 1, 8, 8)
Xtr, Ytr, Xte, Yte = X[:1000], Y[:1000], X[1000:], Y[1000:]

encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU())
decoder = nn.Sequential(nn.Linear(32, 6))
opt = torch.optim.Adam(list(encoder.parameters()) + list(decoder.parameters()), lr=0.005)
@torch.no_grad()
def embed_nograd(x):
    return encoder(x)
def embed(x):
    return encoder(x)
for epoch in range(5):
    for xb, yb in DataLoader(TensorDataset(Xtr, Ytr), batch_size=50, shuffle=True):
        loss = F.cross_entropy(decoder(embed_nograd(xb)), yb)
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())
with torch.no_grad():
    print(f"result: {(decoder(encoder(Xte)).argmax(1) == Yte).float().mean().item():.4f}")
