from __future__ import print_function
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.fc1 = nn.Linear(16, 40)
        self.dropout = nn.Dropout(0.25)
        self.fc2 = nn.Linear(40, 6)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = self.dropout(x)
        return F.log_softmax(self.fc2(x), dim=1)


def train(model, loader, optimizer, epoch):
    model.train()
    total = 0.0
    for data, target in loader:
        optimizer.zero_grad()
        output = model(data)
        loss = F.nll_loss(output, target)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print('Train Epoch: {} Loss: {:.6f}'.format(epoch, total / len(loader)))


def test(model, loader):
    model.eval()
    test_loss = 0
    correct = 0
    with torch.no_grad():
        for data, target in loader:
            output = model(data)
            test_loss += F.nll_loss(output, target, reduction='sum').item()
            pred = output.argmax(dim=1, keepdim=True)
            correct += pred.eq(target.view_as(pred)).sum().item()
    test_loss /= len(loader.dataset)
    print('Test set: Average loss: {:.6f}'.format(test_loss))
    return correct / len(loader.dataset)


torch.manual_seed(1)
y = torch.randint(0, 6, (1500,))
x = 1.3 * torch.randn(6, 16)[y] + torch.randn(1500, 16)
train_loader = DataLoader(TensorDataset(x[:1200], y[:1200]), batch_size=30, shuffle=True)
test_loader = DataLoader(TensorDataset(x[1200:], y[1200:]), batch_size=100)
model = Net()
optimizer = optim.Adadelta(model.parameters(), lr=1.0)
scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
for epoch in range(1, 5):
    train(model, train_loader, optimizer, epoch)
    accuracy = test(model, test_loader)
    scheduler.step()
print('result: {:.4f}'.format(accuracy))
