import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class DefectDetector:
    """Finds the few faulty parts among many good ones."""

    def __init__(self, inputs):
        self.model = nn.Sequential(nn.Linear(inputs, 24), nn.ReLU(), nn.Linear(24, 2))
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.02, momentum=0.9)

    def fit(self, dataset, epochs=6):
        labels = dataset.tensors[1]
        criterion = nn.CrossEntropyLoss(weight=len(labels) / (2.0 * torch.bincount(labels)))
        loader = DataLoader(dataset, batch_size=64, shuffle=True)
        for epoch in range(epochs):
            self.model.train()
            total = 0.0
            for x, y in loader:
                self.optimizer.zero_grad()
                loss = criterion(self.model(x), y)
                loss.backward()
                self.optimizer.step()
                total += loss.item()
            print(f"epoch {epoch} loss {total / len(loader):.6f}")

    def balanced_accuracy(self, dataset):
        self.model.eval()
        x, y = dataset.tensors
        with torch.no_grad():
            predicted = self.model(x).argmax(dim=1)
        return sum((predicted[y == k] == k).float().mean().item() for k in (0, 1)) / 2


def parts(n):
    faulty = (torch.rand(n) < 0.06).long()
    x = torch.randn(n, 10)
    x[:, :4] += 1.0 * faulty.unsqueeze(1)
    return TensorDataset(x, faulty)


torch.manual_seed(66)
train_set, test_set = parts(3000), parts(2000)
detector = DefectDetector(10)
detector.fit(train_set)
print(f"result: {detector.balanced_accuracy(test_set):.4f}")
