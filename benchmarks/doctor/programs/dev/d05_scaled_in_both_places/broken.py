import firstlight as fl
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, Dataset


class Clothes(Dataset):
    def __init__(self, pictures, labels):
        self.pictures = pictures.float().div(255)
        self.labels = labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.pictures[i] / 255, self.labels[i]


class Classifier(nn.Module):
    def __init__(self, hidden: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(28 * 28, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 10),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


class Trainer:
    def __init__(self, model, train_set, test_set):
        self.model = model
        self.train_loader = DataLoader(train_set, batch_size=50, shuffle=True)
        self.test_loader = DataLoader(test_set, batch_size=250)
        self.optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def train(self):
        self.model.train()
        total = 0.0
        for x, y in self.train_loader:
            self.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self.model(x), y)
            loss.backward()
            self.optimizer.step()
            total += loss.item() * len(y)
        return total / len(self.train_loader.dataset)

    def test(self):
        self.model.eval()
        correct = 0
        with torch.no_grad():
            for x, y in self.test_loader:
                correct += (self.model(x).argmax(1) == y).sum().item()
        return correct / len(self.test_loader.dataset)


torch.manual_seed(42)
train, test = fl.load("fashion_mnist_small")
trainer = Trainer(Classifier(), Clothes(train.inputs[:2500], train.labels[:2500]), Clothes(test.inputs[:750], test.labels[:750]))
for epoch in range(4):
    print(f"epoch {epoch} train loss {trainer.train():.6f} test accuracy {trainer.test():.3f}")
print(f"result: {trainer.test():.4f}")
