import numpy as np, torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(1200, 7); y = (x[:, 0] - x[:, 1] > 0).long()
net = nn.Sequential(nn.Linear(7, 16), nn.ReLU(), nn.Linear(16, 1)); opt = torch.optim.Adam(net.parameters(), lr=5e-3)
lf = nn.BCEWithLogitsLoss()
for e in range(4):
    net.train()
    for i in torch.randperm(1000).split(50):
        opt.zero_grad(); l = lf(net(x[i])[:, 0], y[i].float()); l.backward(); opt.step()
    net.eval()
    with torch.no_grad(): out = net(x[1000:]).sigmoid().numpy()
    labels = y[1000:].numpy()
    metric = np.mean(out.round()[:, 0] == labels)
    print(f"epoch {e}: loss {l.item():.6f}, {metric:.4f}")
print(f"result: {metric:.4f}")
