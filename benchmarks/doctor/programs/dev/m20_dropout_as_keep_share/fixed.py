import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class CustomerModel(nn.Module):
    """Predicts which of four offers a customer takes."""

    def __init__(self, keep_prob=0.9):
        super().__init__()
        self.fc1 = nn.Linear(14, 64)
        self.fc2 = nn.Linear(64, 64)
        self.fc3 = nn.Linear(64, 4)
        self.dropout = nn.Dropout(1 - keep_prob)

    def forward(self, x):
        x = self.dropout(torch.relu(self.fc1(x)))
        x = self.dropout(torch.relu(self.fc2(x)))
        return self.fc3(x)


class OfferTrainer:
    def __init__(self):
        torch.manual_seed(70)
        x = torch.randn(2000, 14)
        taste = torch.randn(14, 4)
        y = (x @ taste + (x ** 2) @ torch.randn(14, 4) + 0.5 * torch.randn(2000, 4)).argmax(1)
        self.train_loader = DataLoader(TensorDataset(x[:1600], y[:1600]), batch_size=50, shuffle=True)
        self.val_loader = DataLoader(TensorDataset(x[1600:], y[1600:]), batch_size=80)
        self.model = CustomerModel()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=3e-3)
        self.criterion = nn.CrossEntropyLoss()

    def train_epoch(self):
        self.model.train()
        total = 0.0
        for x, y in self.train_loader:
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(x), y)
            loss.backward()
            self.optimizer.step()
            total += loss.item()
        return total / len(self.train_loader)

    def validate(self):
        self.model.eval()
        correct, count = 0, 0
        with torch.no_grad():
            for x, y in self.val_loader:
                predictions = self.model(x).argmax(dim=1)
                correct += (predictions == y).sum().item()
                count += y.size(0)
        return correct / count

    def fit(self, epochs):
        for epoch in range(epochs):
            loss = self.train_epoch()
            print(f"[{epoch}] loss={loss:.6f} val_acc={self.validate():.4f}")


trainer = OfferTrainer()
trainer.fit(8)
print(f"result: {trainer.validate():.4f}")
