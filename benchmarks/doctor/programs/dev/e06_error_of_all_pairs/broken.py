import torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(1000, 5); y = x @ torch.randn(5) + 0.1 * torch.randn(1000)
net = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Linear(32, 1)); opt = torch.optim.Adam(net.parameters(), lr=1e-2)
def rmse(pred, target): return ((pred - target) ** 2).mean().sqrt()
for e in range(5):
    net.train()
    for i in torch.randperm(800).split(40):
        opt.zero_grad(); l = nn.functional.mse_loss(net(x[i])[:, 0], y[i]); l.backward(); opt.step()
    net.eval()
    with torch.no_grad():
        metric = rmse(net(x[800:]), y[800:]).item()
        print(f"epoch {e}: {metric:.4f}")
print(f"result: {1 - metric:.4f}")
