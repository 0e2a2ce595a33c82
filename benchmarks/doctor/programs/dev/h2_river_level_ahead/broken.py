"""Tell the level of a river three steps ahead from the last twenty."""
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_


def simulate(steps, seed):
    g = torch.Generator().manual_seed(seed)
    rain = torch.relu(torch.randn(steps, generator=g) - 0.8)
    level, ground, out = 0.0, 0.0, []
    for drop in rain.tolist():
        ground = 0.93 * ground + drop
        level = 0.75 * level + 0.2 * ground
        out.append(level)
    out = torch.tensor(out)
    return torch.stack([(out - 2.0) / 1.2, rain], dim=1)


def cut(record, past=20, ahead=3):
    pieces = record.unfold(0, past + ahead, 1).transpose(1, 2)
    return pieces[:, :past].contiguous(), pieces[:, -1, 0].contiguous()


class River(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.rnn = nn.LSTM(2, hidden, batch_first=True)
        self.level = nn.Linear(hidden, 1)

    def forward(self, x):
        _, (h, _) = self.rnn(x)
        return self.level(h[-1]).squeeze(1)


def fit(model, x, y, epochs=6, batch=40):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.7)
    for epoch in range(epochs):
        total, steps = 0.0, 0
        for rows in torch.randperm(len(x)).split(batch):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x[rows]), y[rows])
            loss.backward()
            clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            total, steps = total + loss.item(), steps + 1
        print(f"epoch {epoch}: {total / steps:.6f}")


def r_squared(model, x, y):
    model.eval()
    with torch.no_grad():
        return 1 - ((model(x) - y) ** 2).mean().item() / y.var().item()


if __name__ == "__main__":
    torch.manual_seed(19)
    river = River()
    fit(river, *cut(simulate(2000, 1)))
    print(f"result: {r_squared(river, *cut(simulate(700, 2))):.4f}")
