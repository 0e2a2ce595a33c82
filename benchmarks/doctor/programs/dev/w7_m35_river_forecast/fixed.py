import numpy as np
import torch
from torch import nn

torch.manual_seed(51)
rng = np.random.default_rng(51)

hours = np.arange(1700)
rain = np.maximum(0, rng.normal(size=1700) - 1.2)
level = np.zeros(1700)
for h in range(1, 1700):
    level[h] = 0.9 * level[h - 1] + 0.8 * rain[max(0, h - 4)] + 0.05 * rng.normal()
level = level + 0.3 * np.sin(2 * np.pi * hours / 24)

LOOK, AHEAD = 30, 2
table = np.stack([level, rain, np.sin(2 * np.pi * hours / 24), np.cos(2 * np.pi * hours / 24)], axis=1)
cut = 1300
table = (table - table[:cut].mean(axis=0)) / table[:cut].std(axis=0)


def windows(part):
    frames = np.stack([part[i:i + LOOK] for i in range(len(part) - LOOK - AHEAD + 1)])
    wanted = part[LOOK + AHEAD - 1:, 0]
    return torch.from_numpy(frames).float(), torch.from_numpy(wanted.copy()).float()


x_train, y_train = windows(table[:cut])
x_test, y_test = windows(table[cut:])


class RiverLSTM(nn.Module):
    def __init__(self, inputs, hidden=40):
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.head(out[:, -1]).squeeze(-1)


net = RiverLSTM(x_train.shape[-1]).to(x_train.dtype)
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
sched = torch.optim.lr_scheduler.StepLR(opt, step_size=5, gamma=0.3)
mse = nn.MSELoss()

for epoch in range(10):
    net.train()
    total = 0.0
    for pick in torch.randperm(len(x_train)).split(50):
        loss = mse(net(x_train[pick]), y_train[pick])
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
        total += loss.item() * len(pick)
    sched.step()
    print(f"epoch {epoch + 1}: mse {total / len(x_train):.4f}")

net.eval()
with torch.no_grad():
    error = (net(x_test) - y_test).abs().mean().item()
print(f"result: {error:.4f}")
