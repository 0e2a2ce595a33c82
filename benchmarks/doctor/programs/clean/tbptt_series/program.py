import math
import torch
from torch import nn, Tensor


class Tracker(nn.Module):
    def __init__(self, hidden: int = 24):
        super().__init__()
        self.cell = nn.LSTMCell(1, hidden)
        self.read = nn.Linear(hidden, 1)

    def forward(self, values: Tensor, state):
        outputs = []
        for value in values.unbind(1):
            state = self.cell(value.unsqueeze(1), state)
            outputs.append(self.read(state[0]))
        return torch.cat(outputs, dim=1), state


def series(rows: int, length: int) -> Tensor:
    t = torch.arange(length).float()
    phase = torch.rand(rows, 1) * 6.28
    return torch.sin(2 * math.pi * t / 17 + phase) * torch.cos(2 * math.pi * t / 61 + phase) + 0.03 * torch.randn(rows, length)


torch.manual_seed(55)
train, test = series(24, 241), series(8, 241)
net = Tracker()
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(7):
    state, total = None, 0.0
    for start in range(0, 240, 20):
        x, y = train[:, start:start + 20], train[:, start + 1:start + 21]
        guess, state = net(x, state)
        loss = nn.functional.mse_loss(guess, y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        state = tuple(s.detach() for s in state)
        total += loss.item()
    print(f"epoch {epoch} loss {total / 12:.6f}")

state, rest = None, 0.0
with torch.no_grad():
    for start in range(0, 240, 40):
        guess, state = net(test[:, start:start + 40], state)
        rest += ((guess - test[:, start + 1:start + 41]) ** 2).sum().item()
print(f"result: {1 - rest / 8 / 240 / test.var().item():.4f}")
