import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


class SmallNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(50, 80)
        self.bn1 = nn.BatchNorm1d(80)
        self.drop = nn.Dropout(p=0.3)
        self.fc2 = nn.Linear(80, 5)

    def forward(self, x):
        return self.fc2(self.drop(F.relu(self.bn1(self.fc1(x)))))


def get_loaders():
    torch.manual_seed(10)
    codes = torch.randn(5, 50)
    target = torch.randint(0, 5, (1900,))
    data = codes[target] * torch.rand(1900, 1) + torch.randn(1900, 50)
    train = TensorDataset(data[:1400], target[:1400])
    valid = TensorDataset(data[1400:], target[1400:])
    return DataLoader(train, batch_size=35, shuffle=True), DataLoader(valid, batch_size=100)


def validate(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for data, target in loader:
            correct += (model(data).argmax(dim=1) == target).sum().item()
    return correct / len(loader.dataset)


def main():
    train_loader, valid_loader = get_loaders()
    model = SmallNet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    model.train()
    for epoch in range(1, 6):
        train_loss = 0
        for data, target in train_loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(data), target)
            loss.backward()
            optimizer.step()
            train_loss += loss.item() * data.size(0)
        train_loss /= len(train_loader.dataset)
        accuracy = validate(model, valid_loader)
        print(f"Epoch {epoch}: loss {train_loss:.6f}, valid {accuracy:.4f}")
    print(f"result: {accuracy:.4f}")


if __name__ == "__main__":
    main()
