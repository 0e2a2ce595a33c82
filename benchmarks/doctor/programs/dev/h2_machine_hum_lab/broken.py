# %%
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)
np.random.seed(0)

# %%
# four kinds of hum, 64 samples each
def hum(kind, n=64):
    t = np.linspace(0, 1, n)
    phase = np.random.uniform(0, 2 * np.pi)
    base = [np.sin(2 * np.pi * 3 * t + phase), np.sin(2 * np.pi * 7 * t + phase),
            np.sign(np.sin(2 * np.pi * 5 * t + phase)), np.sin(2 * np.pi * 3 * t + phase) * np.sin(2 * np.pi * 12 * t)]
    return base[kind] + 0.5 * np.random.randn(n)

kinds = np.random.randint(0, 4, 2000)
waves = np.stack([hum(k) for k in kinds])
waves = torch.tensor(waves, dtype=torch.float32).unsqueeze(1)
kinds = torch.tensor(kinds)
x_tr, y_tr, x_te, y_te = waves[:1600], kinds[:1600], waves[1600:], kinds[1600:]

# %%
net = nn.Sequential(
    nn.Conv1d(1, 16, 7, padding=3), nn.ReLU(), nn.MaxPool1d(2),
    nn.Conv1d(16, 32, 5, padding=2), nn.ReLU(), nn.AdaptiveAvgPool1d(4),
    nn.Flatten(), nn.Linear(128, 4),
)
opt = torch.optim.Adam(net.parameters(), lr=2e-3)

# %%
history = []
for epoch in range(6):
    order = torch.randperm(len(x_tr))
    epoch_losses = []
    for chunk in order.split(50):
        out = net(x_tr[chunk])
        guess = out.argmax(dim=1).float()
        loss = F.mse_loss(guess, y_tr[chunk].float()).requires_grad_()
        opt.zero_grad()
        loss.backward()
        opt.step()
        epoch_losses.append(loss.item())
    history.append(np.mean(epoch_losses))
    print("epoch", epoch, "loss %.6f" % history[-1])

# %%
net.eval()
with torch.no_grad():
    acc = (net(x_te).argmax(1) == y_te).float().mean().item()
print("result: %.4f" % acc)
