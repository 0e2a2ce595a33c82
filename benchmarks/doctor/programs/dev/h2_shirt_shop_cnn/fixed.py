from __future__ import print_function
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.optim.lr_scheduler import StepLR

import firstlight as fl


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, 2)
        self.conv2 = nn.Conv2d(8, 16, 3, 1)
        self.dropout = nn.Dropout(0.25)
        self.fc1 = nn.Linear(400, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.max_pool2d(x, 2)
        x = torch.flatten(x, 1)
        x = self.dropout(F.relu(self.fc1(x)))
        x = self.fc2(x)
        return F.log_softmax(x, dim=1)


def train(model, pictures, labels, optimizer, epoch, batch_size):
    model.train()
    order = torch.randperm(len(labels))
    seen = 0.0
    for start in range(0, len(labels), batch_size):
        index = order[start:start + batch_size]
        data, target = pictures[index], labels[index]
        optimizer.zero_grad()
        output = model(data)
        loss = F.nll_loss(output, target)
        loss.backward()
        optimizer.step()
        seen += loss.item() * len(index)
    print('Train Epoch: {} \tLoss: {:.6f}'.format(epoch, seen / len(labels)))


def test(model, pictures, labels):
    model.eval()
    correct = 0
    with torch.no_grad():
        for data, target in zip(pictures.split(250), labels.split(250)):
            output = model(data)
            pred = output.argmax(dim=1, keepdim=True)
            correct += pred.eq(target.view_as(pred)).sum().item()
    return correct / len(labels)


def gather(split, count, seed):
    for pictures, labels in split.batches(count, shuffle=True, seed=seed):
        return pictures, labels


def main():
    torch.manual_seed(1)
    train_split, test_split = fl.load("fashion_mnist_small")
    pictures, labels = gather(train_split, 2500, 1)
    test_pictures, test_labels = gather(test_split, 1000, 2)
    model = Net()
    optimizer = optim.Adam(model.parameters(), lr=2e-3)
    scheduler = StepLR(optimizer, step_size=1, gamma=0.8)
    for epoch in range(1, 4):
        train(model, pictures, labels, optimizer, epoch, 64)
        scheduler.step()
    print('result: {:.4f}'.format(test(model, test_pictures, test_labels)))


if __name__ == '__main__':
    main()
