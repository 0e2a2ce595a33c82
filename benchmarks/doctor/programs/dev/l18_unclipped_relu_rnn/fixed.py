"""Water level of a leaking reservoir after 50 hours of rain: an identity-initialised ReLU RNN (IRNN)."""
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

CFG = {
    "hours": 50,
    "hidden": 32,
    "batch": 40,
    "steps": 400,
    "lr": 0.01,
    "momentum": 0.9,
    "max_norm": 0.5,
    "seed": 6,
}


def rain_batch(n, hours, g):
    wet = torch.rand(n, hours, generator=g) < 0.3
    rain = wet * -torch.log(1 - torch.rand(n, hours, generator=g))
    sluice_open = (torch.rand(n, hours, generator=g) < 0.2).float()
    level = torch.zeros(n)
    for h in range(hours):
        level = (level + rain[:, h]) * (0.985 - 0.01 * sluice_open[:, h])
    return torch.stack([rain, sluice_open], dim=2), ((level - 10.0) / 3.4)[:, None]


class IRNN(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.rnn = nn.RNN(2, hidden, nonlinearity="relu", batch_first=True)
        self.out = nn.Linear(hidden, 1)
        nn.init.eye_(self.rnn.weight_hh_l0)
        nn.init.zeros_(self.rnn.bias_hh_l0)
        nn.init.zeros_(self.rnn.bias_ih_l0)
        nn.init.normal_(self.rnn.weight_ih_l0, std=0.05)

    def forward(self, x):
        states, _ = self.rnn(x)
        return self.out(states[:, -1])


def train(model, cfg):
    g = torch.Generator().manual_seed(cfg["seed"])
    optimizer = torch.optim.SGD(model.parameters(), lr=cfg["lr"], momentum=cfg["momentum"])
    criterion = nn.MSELoss()
    window = 0.0
    model.train()
    for step in range(1, cfg["steps"] + 1):
        x, y = rain_batch(cfg["batch"], cfg["hours"], g)
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        clip_grad_norm_(model.parameters(), cfg["max_norm"])
        optimizer.step()
        window += loss.item()
        if step % 50 == 0:
            print(f"step {step:4d}  mse {window / 50:.4f}")
            window = 0.0


def main():
    torch.manual_seed(CFG["seed"])
    model = IRNN(CFG["hidden"])
    train(model, CFG)
    x, y = rain_batch(500, CFG["hours"], torch.Generator().manual_seed(1000 + CFG["seed"]))
    model.eval()
    with torch.no_grad():
        mse = nn.functional.mse_loss(model(x), y).item()
    print(f"test R2 {1 - mse / y.var().item():.4f}")


if __name__ == "__main__":
    main()
