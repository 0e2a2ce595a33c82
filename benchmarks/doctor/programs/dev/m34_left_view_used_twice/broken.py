import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class TwoViews(nn.Module):
    """Joins what two cameras see."""

    def __init__(self, size, classes):
        super().__init__()
        self.left_branch = nn.Sequential(nn.Linear(size, 24), nn.ReLU())
        self.right_branch = nn.Sequential(nn.Linear(size, 24), nn.ReLU())
        self.decide = nn.Linear(48, classes)

    def forward(self, left, right):
        a = self.left_branch(left)
        b = self.right_branch(left)
        return self.decide(torch.cat([a, b], dim=1))


class Runner:
    def __init__(self, model, train_loader, test_loader):
        self.model = model
        self.train_loader = train_loader
        self.test_loader = test_loader
        self.optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
        self.criterion = nn.CrossEntropyLoss()

    def train(self):
        self.model.train()
        total, n = 0.0, 0
        for left, right, kind in self.train_loader:
            loss = self.criterion(self.model(left, right), kind)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(kind)
            n += len(kind)
        return total / n

    def test(self):
        self.model.eval()
        correct, n = 0, 0
        with torch.no_grad():
            for left, right, kind in self.train_loader:
                correct += (self.model(left, right).argmax(1) == kind).sum().item()
                n += len(kind)
        return correct / n


torch.manual_seed(34)
kind = torch.randint(0, 5, (1800,))
left = 1.6 * torch.randn(5, 10)[kind] + torch.randn(1800, 10)
right = 1.1 * torch.randn(5, 10)[kind] + torch.randn(1800, 10)
train_set = TensorDataset(left[:1400], right[:1400], kind[:1400])
test_set = TensorDataset(left[1400:], right[1400:], kind[1400:])

runner = Runner(TwoViews(10, 5), DataLoader(train_set, batch_size=50, shuffle=True), DataLoader(test_set, batch_size=100))
for epoch in range(6):
    print(f"epoch {epoch}: loss {runner.train():.6f}")
print(f"test accuracy {100 * runner.test():.1f} %")
print(f"result: {runner.test():.4f}")
