import argparse

import firstlight as fl
import torch
import torch.nn.functional as F
from torch import nn, optim
from torch.utils.data import DataLoader


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, stride=2)
        self.fc1 = nn.Linear(6 * 36, 50)
        self.fc2 = nn.Linear(50, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.relu(self.fc1(torch.flatten(x, 1)))
        return F.log_softmax(self.fc2(x), dim=1)


def train(args, model, train_loader, optimizer, epoch):
    model.train()
    epoch_loss = 0.0
    for data, target in train_loader:
        optimizer.zero_grad()
        output = model(data)
        loss = F.nll_loss(output, target)
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() * len(data)
    print(f"Train Epoch: {epoch} Loss: {epoch_loss / len(train_loader.dataset):.6f}")


def test(model, test_loader):
    model.eval()
    correct, seen = 0, 0
    with torch.no_grad():
        for data, target in test_loader:
            pred = model(data).argmax(dim=1)
            correct += (pred == target).sum().item()
            seen += len(target)
    return correct / seen


def main():
    parser = argparse.ArgumentParser(description="Clothes in PyTorch")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--lr", type=float, default=0.003)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    train_data, test_data = fl.load("fashion_mnist_small")
    train_loader = DataLoader(train_data.subset(range(3000)), batch_size=args.batch_size, shuffle=True)
    test_loader = DataLoader(test_data.subset(range(850)), batch_size=args.batch_size)

    model = Net()
    optimizer = optim.AdamW(model.parameters(), lr=args.lr)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
    for epoch in range(1, args.epochs + 1):
        train(args, model, train_loader, optimizer, epoch)
        scheduler.step()
    print(f"result: {test(model, test_loader):.4f}")


if __name__ == "__main__":
    main()
