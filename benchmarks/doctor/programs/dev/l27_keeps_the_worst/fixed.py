"""Stops when nothing gets better any more, and goes back to the weights of that time."""
import copy
import torch
from torch import nn

torch.manual_seed(10)


class Guard:
    def __init__(self, wait):
        self.wait, self.left, self.top, self.kept = wait, wait, None, None

    def __call__(self, number, model):
        if self.top is None or number < self.top:
            self.top, self.left = number, self.wait
            self.kept = copy.deepcopy(model.state_dict())
        else:
            self.left -= 1
        return self.left == 0


def sequences(n):
    start = torch.randn(n, 1)
    steps = torch.randn(n, 20) * 0.3 + torch.randn(n, 1) * 0.4
    walk = start + steps.cumsum(1)
    return walk[:, :15].unsqueeze(2), walk[:, 19:]


class Walker(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(1, 24, batch_first=True)
        self.out = nn.Linear(24, 1)

    def forward(self, x):
        return self.out(self.rnn(x)[1][0])


def cost(model, pairs):
    return nn.functional.mse_loss(model(pairs[0]), pairs[1])


fit, check, last = sequences(700), sequences(250), sequences(250)
model, guard = Walker(), Guard(wait=9)
optimizer = torch.optim.Adam(model.parameters(), lr=6e-3)
for epoch in range(12):
    for rows in torch.randperm(700).split(35):
        optimizer.zero_grad()
        c = cost(model, (fit[0][rows], fit[1][rows]))
        c.backward()
        optimizer.step()
    with torch.no_grad():
        r = cost(model, check).item()
    print(f"{epoch} {c.item():.6f} {r:.6f}")
    if guard(r, model):
        break
model.load_state_dict(guard.kept)
with torch.no_grad():
    print(f"result: {1 - (cost(model, last) / last[1].var()).item():.4f}")
