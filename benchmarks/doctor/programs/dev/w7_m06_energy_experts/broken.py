import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


def houses(count):
    x = torch.randn(count, 14)
    mode = torch.stack([x[:, 0] + x[:, 1], x[:, 0] - x[:, 1], -x[:, 0]]).argmax(0)
    rules = torch.randn(3, 14)
    use = (rules[mode] * x).sum(1) + 0.2 * torch.randn(count)
    return TensorDataset(x, use)


class Experts(nn.Module):
    def __init__(self, width, experts=4, hidden=48):
        super().__init__()
        self.gate = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, experts), nn.Softmax(dim=0))
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, 1)) for _ in range(experts)
        )

    def forward(self, x):
        share = self.gate(x)
        views = torch.cat([expert(x) for expert in self.experts], dim=1)
        return (share * views).sum(dim=1)


class Forecast:
    def __init__(self, seed=23, batch=100):
        torch.manual_seed(seed)
        data = houses(3000)
        self.train_set, self.test_set = random_split(data, [2400, 600])
        x, y = self.train_set[:]
        self.x_mean, self.x_std = x.mean(0), x.std(0)
        self.y_mean, self.y_std = y.mean(), y.std()
        self.model = Experts(x.shape[1])
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=4e-3)
        self.criterion = nn.MSELoss()
        self.batch = batch

    def scaled(self, x, y):
        return (x - self.x_mean) / self.x_std, (y - self.y_mean) / self.y_std

    def train(self, epochs=18):
        loader = DataLoader(self.train_set, batch_size=self.batch, shuffle=True)
        for epoch in range(epochs):
            self.model.train()
            history = []
            for x, y in loader:
                x, y = self.scaled(x, y)
                loss = self.criterion(self.model(x), y)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                history.append(loss.item())
            print(f"epoch {epoch}: mse {sum(history) / len(history):.4f}")

    @torch.no_grad()
    def test(self):
        self.model.eval()
        squared = 0.0
        for x, y in DataLoader(self.test_set, batch_size=self.batch):
            x, y = self.scaled(x, y)
            squared += (self.model(x) - y).pow(2).sum().item()
        return (squared / len(self.test_set)) ** 0.5


job = Forecast()
job.train()
print(f"result: {job.test():.4f}")
