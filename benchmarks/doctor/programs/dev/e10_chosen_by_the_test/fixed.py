import copy

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


class Selector:
    """Keeps the weights of the best epoch."""

    def __init__(self, model, lr=5e-3):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        self.best, self.best_weights = -1.0, None

    def learn(self, loader):
        self.model.train()
        total = 0.0
        for x, y in loader:
            self.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self.model(x), y)
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(y)
        return total / len(loader.dataset)

    def accuracy(self, loader):
        self.model.eval()
        with torch.no_grad():
            hits = sum((self.model(x).argmax(1) == y).sum().item() for x, y in loader)
        return hits / len(loader.dataset)

    def remember(self, accuracy):
        if accuracy > self.best:
            self.best = accuracy
            self.best_weights = copy.deepcopy(self.model.state_dict())

    def restore(self):
        self.model.load_state_dict(self.best_weights)


torch.manual_seed(60)
x = torch.randn(2000, 12)
y = ((x[:, 0] * x[:, 1] > 0).long() + (x[:, 2] + x[:, 3] > 0.5).long())
train_set, val_set, test_set = random_split(TensorDataset(x, y), [1200, 400, 400])
train_loader = DataLoader(train_set, batch_size=40, shuffle=True)
val_loader = DataLoader(val_set, batch_size=200)
test_loader = DataLoader(test_set, batch_size=200)

selector = Selector(nn.Sequential(nn.Linear(12, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 3)))
for epoch in range(24):
    loss = selector.learn(train_loader)
    selector.remember(selector.accuracy(val_loader))
    print(f"epoch {epoch + 1} loss {loss:.6f} best {selector.best:.4f}")
selector.restore()
print(f"result: {selector.accuracy(test_loader):.4f}")
