import torch
from torch import nn
from torch.utils.data import DataLoader, SubsetRandomSampler, TensorDataset


class Jitter(nn.Module):
    """Noise on the readings, so that single ones are not learned by heart."""

    def __init__(self, amount):
        super().__init__()
        self.amount = amount

    def forward(self, x):
        return x + self.amount * torch.randn_like(x) if self.training else x


class GaugeNet(nn.Module):
    def __init__(self, alerts=4, hidden=40):
        super().__init__()
        self.jitter = Jitter(0.5)
        self.rnn = nn.GRU(2, hidden, batch_first=True)
        self.head = nn.Linear(hidden, alerts)

    def forward(self, x):
        states, _ = self.rnn(self.jitter(x))
        return self.head(states.mean(dim=1))


class Gauges:
    """Level and rain of 20 hours; the alert follows from trend and rain."""

    def __init__(self, count=2400):
        trend = torch.randint(0, 2, (count,))
        rain = torch.randint(0, 2, (count,))
        hours = torch.linspace(-1, 1, 20)
        level = (2.0 * trend - 1).unsqueeze(1) * 0.7 * hours + 0.5 * torch.randn(count, 20)
        fallen = (2.0 * rain - 1).unsqueeze(1) * 0.4 + 0.8 * torch.randn(count, 20)
        self.dataset = TensorDataset(torch.stack([level, fallen], dim=2), 2 * trend + rain)

    def loaders(self, batch_size, test_part=0.25):
        order = torch.randperm(len(self.dataset)).tolist()
        k = int(test_part * len(order))
        return (DataLoader(self.dataset, batch_size, sampler=SubsetRandomSampler(order[k:])),
                DataLoader(self.dataset, batch_size, sampler=SubsetRandomSampler(order[:k])))


class Station:
    def __init__(self, net, lr):
        self.net = net
        self.loss = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.Adam(net.parameters(), lr=lr)

    def learn(self, loader):
        self.net.train()
        total = seen = 0
        for x, y in loader:
            self.optimizer.zero_grad()
            loss = self.loss(self.net(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
            self.optimizer.step()
            total, seen = total + loss.item() * len(y), seen + len(y)
        return total / seen

    @torch.no_grad()
    def share_right(self, loader):
        self.net.eval()
        right = 0
        for x, y in loader:
            right += (self.net(x).argmax(1) == y).sum().item()
        return right / len(loader.sampler)


def main():
    torch.manual_seed(47)
    train_loader, test_loader = Gauges().loaders(batch_size=36)
    station = Station(GaugeNet(), lr=3e-3)
    for epoch in range(5):
        print(f"epoch {epoch}: loss {station.learn(train_loader):.6f}")
    print(f"result: {station.share_right(test_loader):.4f}")


if __name__ == "__main__":
    main()
