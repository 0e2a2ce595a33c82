import numpy as np
import torch
import torch.nn as nn


class TideForecaster(nn.Module):
    """Reads the tide hour by hour and says the next height; remembers from window to window."""

    def __init__(self, hidden_size=32):
        super().__init__()
        self.lstm = nn.LSTM(input_size=1, hidden_size=hidden_size, batch_first=True)
        self.linear = nn.Linear(hidden_size, 1)
        self.memory = None

    def forget(self):
        self.memory = None

    def forward(self, heights):
        output, memory = self.lstm(heights, self.memory)
        if self.training:
            self.memory = tuple(part.detach() for part in memory)
        return self.linear(output)


def tide(hours, start, rng):
    t = np.arange(start, start + hours)
    height = np.sin(2 * np.pi * t / 12.4) + 0.4 * np.sin(2 * np.pi * t / 24 + 1)
    return torch.tensor(height + 0.03 * rng.standard_normal(hours), dtype=torch.float32)


def windows(stations, length):
    """(stations, hours) -> windows in the order of time, each with the heights one hour later."""
    for begin in range(0, stations.size(1) - length - 1, length):
        x = stations[:, begin:begin + length]
        y = stations[:, begin + 1:begin + length + 1]
        yield x.unsqueeze(2), y.unsqueeze(2)


def main():
    torch.manual_seed(9)
    rng = np.random.default_rng(9)
    stations = torch.stack([tide(601, 37 * i, rng) for i in range(12)])
    later = torch.stack([tide(121, 5000 + 53 * i, rng) for i in range(12)])
    model = TideForecaster()
    criterion = nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=8e-3)

    for epoch in range(8):
        model.train()
        model.forget()
        losses = []
        for x, y in windows(stations, 24):
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"epoch {epoch} mse {np.mean(losses):.6f}")

    model.eval()
    model.forget()
    with torch.no_grad():
        said = model(later[:, :-1].unsqueeze(2))[:, 12:]
    truth = later[:, 1:].unsqueeze(2)[:, 12:]
    score = 1 - ((said - truth) ** 2).mean() / truth.var()
    print(f"result: {score.item():.4f}")


main()
