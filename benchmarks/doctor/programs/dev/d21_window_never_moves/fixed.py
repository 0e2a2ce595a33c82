import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Windows(Dataset):
    """Windows of a long series and the value two steps after each."""

    def __init__(self, series, start, stop, length=20, stride=1):
        self.series = series
        self.start, self.stop = start, stop
        self.length, self.stride = length, stride

    def __len__(self):
        return (self.stop - self.start - self.length - 2) // self.stride

    def __getitem__(self, i):
        begin = self.start + i * self.stride
        end = begin + self.length
        return self.series[begin:end], self.series[end + 1]


class Forecaster(nn.Module):
    def __init__(self, length):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(length, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, window):
        return self.net(window).squeeze(-1)


class Fit:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def epoch(self, loader):
        self.model.train()
        losses = []
        for window, target in loader:
            self.optimizer.zero_grad()
            loss = nn.functional.mse_loss(self.model(window), target)
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return sum(losses) / len(losses)

    def skill(self, loader, variance):
        """One minus the error in units of the variance of the series."""
        self.model.eval()
        squares, n = 0.0, 0
        with torch.no_grad():
            for window, target in loader:
                squares += (self.model(window) - target).square().sum().item()
                n += len(target)
        return 1 - squares / n / variance


torch.manual_seed(14)
t = torch.arange(2000.0)
series = torch.sin(t / 6) + 0.5 * torch.sin(t / 17 + 1) + 0.1 * torch.randn(2000)
fit = Fit(Forecaster(20))
train_loader = DataLoader(Windows(series, 0, 1500), batch_size=50, shuffle=True)
test_loader = DataLoader(Windows(series, 1500, 2000), batch_size=100)
for epoch in range(4):
    print(f"epoch {epoch}: mse {fit.epoch(train_loader):.6f}")
print(f"result: {fit.skill(test_loader, series[1500:].var().item()):.4f}")
