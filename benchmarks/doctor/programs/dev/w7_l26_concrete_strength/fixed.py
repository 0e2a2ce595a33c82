import numpy as np
import torch
from torch import nn

torch.manual_seed(40)
rng = np.random.default_rng(40)

mix = rng.uniform(0, 1, size=(620, 12)).astype(np.float32)
strength = 20 + 18 * mix[:, 0] - 12 * mix[:, 1] * mix[:, 2] + 9 * np.sin(3 * mix[:, 3]) + 6 * mix[:, 4] ** 2
strength = (strength + rng.normal(scale=3.0, size=620)).astype(np.float32)

fit, val, test = slice(0, 220), slice(220, 420), slice(420, 620)
x = torch.from_numpy((mix - mix[fit].mean(0)) / mix[fit].std(0))
y = torch.from_numpy((strength - strength[fit].mean()) / strength[fit].std())

net = nn.Sequential(nn.Linear(12, 384), nn.SiLU(), nn.Linear(384, 192), nn.SiLU(), nn.Linear(192, 1), nn.Flatten(0))
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
huber = nn.HuberLoss()

best_loss, best_weights, waited, patience = float("inf"), None, 0, 45
for epoch in range(120):
    net.train()
    for pick in torch.randperm(220).split(20):
        loss = huber(net(x[fit][pick]), y[fit][pick])
        opt.zero_grad()
        loss.backward()
        opt.step()

    net.eval()
    with torch.no_grad():
        val_loss = huber(net(x[val]), y[val]).item()
    if val_loss < best_loss:
        best_loss, waited = val_loss, 0
        best_weights = {k: v.detach().cpu().clone() for k, v in net.state_dict().items()}
        print(f"epoch {epoch}: best so far {val_loss:.4f}")
    else:
        waited += 1
        if waited == patience:
            print(f"stopped after epoch {epoch}")
            break

net.load_state_dict(best_weights)
net.eval()
with torch.no_grad():
    rmse = (net(x[test]) - y[test]).pow(2).mean().sqrt().item()
print(f"result: {rmse:.4f}")
