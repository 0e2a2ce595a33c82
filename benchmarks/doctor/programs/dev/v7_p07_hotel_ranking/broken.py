import torch
from torch import nn


def make_searches(n_searches, hotels, weights, generator):
    features = torch.randn(n_searches, hotels, 12, generator=generator)
    value = features @ weights[0] + (features @ weights[1]).abs() + 0.2 * torch.randn(n_searches, hotels, generator=generator)
    return features, value


def ordered_pairs(scores, value):
    """Share of the pairs of hotels of one search that stand in the right order."""
    ds = scores.unsqueeze(2) - scores.unsqueeze(1)
    dv = value.unsqueeze(2) - value.unsqueeze(1)
    upper = torch.ones_like(dv[0]).triu(1).bool()
    return ((ds * dv) > 0)[:, upper].float().mean().item()


class Scorer(nn.Module):
    def __init__(self, inputs=12, hidden=64):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
                                 nn.Linear(hidden, 1))

    def forward(self, hotels):
        return self.net(hotels).squeeze(-1)


class RankTrainer:
    def __init__(self, model, metric, lr=2e-3, batch=20, patience=3):
        self.model = model
        self.metric = metric
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        self.batch = batch
        self.patience = patience
        self.history = []

    def pair_loss(self, scores, value):
        ds = scores.unsqueeze(2) - scores.unsqueeze(1)
        better = (value.unsqueeze(2) > value.unsqueeze(1)).float()
        return (nn.functional.softplus(-ds) * better).sum() / better.sum()

    def train_epoch(self, features, value):
        self.model.train()
        for part in torch.randperm(len(features)).split(self.batch):
            loss = self.pair_loss(self.model(features[part]), value[part])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()

    def evaluate(self, features, value):
        self.model.eval()
        with torch.no_grad():
            self.metric = self.metric(self.model(features), value)
        return self.metric

    def fit(self, train, valid, epochs):
        best, best_state, waited = -1.0, None, 0
        for epoch in range(epochs):
            self.train_epoch(*train)
            now = self.evaluate(*valid)
            self.history.append(now)
            print(f"epoch {epoch}: ordered pairs {now:.4f}")
            if now > best:
                best, waited = now, 0
                best_state = {k: v.clone() for k, v in self.model.state_dict().items()}
            else:
                waited += 1
                if waited >= self.patience:
                    break
        self.model.load_state_dict(best_state)


def main():
    torch.manual_seed(21)
    generator = torch.Generator().manual_seed(5)
    weights = torch.randn(2, 12, generator=generator)
    train, valid, test = (make_searches(n, 15, weights, generator) for n in (1200, 150, 200))
    trainer = RankTrainer(Scorer(), metric=ordered_pairs)
    trainer.fit(train, valid, epochs=12)
    print(f"result: {trainer.evaluate(*test):.4f}")


if __name__ == "__main__":
    main()
