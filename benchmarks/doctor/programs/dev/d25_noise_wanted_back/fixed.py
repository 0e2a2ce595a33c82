import torch
from torch import nn
from torch.utils.data import TensorDataset, DataLoader
torch.manual_seed(0)
clean = torch.rand(1000, 4) @ torch.rand(4, 16); noisy = clean + 0.3 * torch.randn(1000, 16)
tr = DataLoader(TensorDataset(clean[:800], noisy[:800]), batch_size=40, shuffle=True)
net = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 16)); opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for e in range(5):
    for clean_b, noisy_b in tr:
        l = nn.functional.mse_loss(net(noisy_b), clean_b); opt.zero_grad(); l.backward(); opt.step()
    with torch.no_grad():
        metric = nn.functional.mse_loss(net(noisy[800:]), clean[800:]).item()
        print(f"epoch {e}: loss {l.item():.6f}, {metric:.4f}")
print(f"result: {1 - metric:.4f}")
