import argparse

import torch


class LoanTable(torch.utils.data.Dataset):
    """Income, age, debt, years at work; three risk classes."""

    def __init__(self, rows, seed):
        gen = torch.Generator().manual_seed(seed)
        self.features = torch.randn(rows, 4, generator=gen)
        income, age, debt, years = self.features.unbind(1)
        risk = 1.4 * debt - income - 0.5 * years + 0.6 * age * debt + 0.2 * torch.randn(rows, generator=gen)
        self.risk_class = (risk > -0.8).long() + (risk > 0.8).long()

    def __len__(self):
        return self.features.shape[0]

    def __getitem__(self, index):
        return self.features[index], self.risk_class[index]


class RiskModel(torch.nn.Module):
    def __init__(self, n_in, n_hidden, n_out):
        super().__init__()
        self.first = torch.nn.Linear(n_in, n_hidden)
        self.norm = torch.nn.BatchNorm1d(n_hidden)
        self.second = torch.nn.Linear(n_hidden, n_out)

    def forward(self, x):
        hidden = torch.relu(self.norm(self.first(x)))
        return self.second(hidden)


class Experiment:
    def __init__(self, args):
        torch.manual_seed(args.seed)
        self.args = args
        self.train_data = torch.utils.data.DataLoader(LoanTable(1600, 10), batch_size=args.batch, shuffle=True)
        self.test_data = torch.utils.data.DataLoader(LoanTable(400, 20), batch_size=400)
        self.net = RiskModel(4, 32, 3)
        self.ce = torch.nn.CrossEntropyLoss()
        self.optim = torch.optim.Adam(self.net.parameters(), lr=args.lr)
        self.decay = torch.optim.lr_scheduler.ExponentialLR(self.optim, gamma=0.9)

    def epoch(self):
        self.net.train()
        losses = []
        for rows, labels in self.train_data:
            self.optim.zero_grad()
            loss = self.ce(self.net(rows), labels)
            loss.backward()
            self.optim.step()
            losses.append(loss.detach())
        self.decay.step()
        return torch.stack(losses).mean().item()

    def score(self):
        self.net.eval()
        with torch.no_grad():
            good = sum((self.net(rows).argmax(1) == labels).sum().item() for rows, labels in self.test_data)
        return good / len(self.test_data.dataset)

    def run(self):
        for number in range(self.args.epochs):
            print(f"epoch {number}, loss {self.epoch():.6f}")
        print(f"result: {self.score():.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch", type=int, default=40)
    parser.add_argument("--lr", type=float, default=5e-3)
    parser.add_argument("--seed", type=int, default=0)
    Experiment(parser.parse_args()).run()
