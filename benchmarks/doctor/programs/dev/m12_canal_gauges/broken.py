"""Canal gauges: guess the water level at every lock from the sluices around it."""
import torch
import torch.nn as nn

torch.manual_seed(4)


class CanalWorld:
    """Random canal networks with 18 locks each, adjacency rows averaged over the neighbours."""

    def __init__(self, n_locks=18, seed=40):
        self.n_locks = n_locks
        self.gen = torch.Generator().manual_seed(seed)

    def draw(self, count):
        n = self.n_locks
        link = torch.rand(count, n, n, generator=self.gen) < 0.08
        link = torch.triu(link, 1)
        ring = torch.roll(torch.eye(n, dtype=torch.bool), 1, dims=1)
        link = (link | ring | link.transpose(1, 2) | ring.T).float()
        adj = link / link.sum(dim=2, keepdim=True)
        sluice = torch.randn(count, n, 5, generator=self.gen)
        push = (torch.tanh(sluice[..., 0]) * sluice[..., 1]).unsqueeze(-1)
        pull = sluice[..., 2:3].abs() - 0.8
        level = 2.2 * adj @ (adj @ push) + 1.1 * adj @ pull + 0.3 * sluice[..., 3:4]
        level = level.squeeze(-1) + 0.05 * torch.randn(count, n, generator=self.gen)
        return adj, sluice, level


class GaugeNet(nn.Module):
    def __init__(self, n_in=5, width=40):
        super().__init__()
        self.lift = nn.Sequential(nn.Linear(n_in, width), nn.ReLU(), nn.Linear(width, width))
        self.hop1 = nn.Linear(width, width)
        self.hop2 = nn.Linear(width, width)
        self.head = nn.Linear(width, 1)

    def forward(self, adj, x):
        h = torch.tanh(self.lift(x))
        h = h + torch.relu(self.hop1(adj @ h))
        return self.head(h).squeeze(-1)


class Survey:
    def __init__(self, net, train, test, lr=4e-3, batch=32):
        self.net, self.train_set, self.test_set, self.batch = net, train, test, batch
        self.opt = torch.optim.Adam(net.parameters(), lr=lr)

    def epoch(self):
        self.net.train()
        adj, x, level = self.train_set
        total = 0.0
        for rows in torch.randperm(len(x)).split(self.batch):
            loss = ((self.net(adj[rows], x[rows]) - level[rows]) ** 2).mean()
            self.opt.zero_grad()
            loss.backward()
            self.opt.step()
            total += loss.item() * len(rows)
        return total / len(x)

    @torch.no_grad()
    def r2(self):
        self.net.eval()
        adj, x, level = self.test_set
        rest = (self.net(adj, x) - level).pow(2).sum()
        return 1 - (rest / (level - level.mean()).pow(2).sum()).item()


if __name__ == "__main__":
    world = CanalWorld()
    survey = Survey(GaugeNet(), train=world.draw(600), test=world.draw(200))
    for e in range(25):
        mse = survey.epoch()
        if e % 5 == 4:
            print(f"epoch {e + 1:2d}: train mse {mse:.4f}")
    print(f"held-out networks, R2 = {survey.r2():.4f}")
