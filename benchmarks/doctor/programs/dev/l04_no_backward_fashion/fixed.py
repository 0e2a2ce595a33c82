import firstlight as fl
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.conv = nn.Conv2d(1, 6, 5, stride=2)
        self.fc = nn.Linear(6 * 6 * 6, 10)

    def forward(self, x):
        x = F.relu(self.conv(x))
        x = F.max_pool2d(x, 2)
        x = torch.flatten(x, 1)
        return F.log_softmax(self.fc(x), dim=1)


def train(model, train_loader, optimizer, epoch):
    model.train()
    for batch_idx, (data, target) in enumerate(train_loader):
        optimizer.zero_grad()
        output = model(data)
        loss = F.nll_loss(output, target)
        loss.backward()
        optimizer.step()
        if batch_idx % 10 == 0:
            print("Train Epoch: {} [{}]\tLoss: {:.6f}".format(epoch, batch_idx, loss.item()))


def test(model, test_loader):
    model.eval()
    test_loss, correct, count = 0, 0, 0
    with torch.no_grad():
        for data, target in test_loader:
            output = model(data)
            test_loss += F.nll_loss(output, target, reduction="sum").item()
            pred = output.argmax(dim=1, keepdim=True)
            correct += pred.eq(target.view_as(pred)).sum().item()
            count += len(target)
    print("Test set: Average loss: {:.6f}".format(test_loss / count))
    return correct / count


def main():
    torch.manual_seed(1)
    train_set, test_set = fl.load("fashion_mnist_small")
    train_loader = train_set.subset(range(2560)).batches(64, shuffle=True)
    test_loader = test_set.subset(range(600)).batches(200)
    model = Net()
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    accuracy = 0.0
    for epoch in range(1, 3):
        train(model, train_loader, optimizer, epoch)
        accuracy = test(model, test_loader)
    print("result: {:.4f}".format(accuracy))


if __name__ == "__main__":
    main()
