import torch
import torch.nn as nn
import torch.nn.functional as F

import firstlight as fl

torch.manual_seed(0)

train, test = fl.load("fashion_mnist_small")
train = train.subset(range(3000))
train_batches = train.batches(64, shuffle=True)
test_batches = test.batches(250)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(28 * 28, 64)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = self.fc2(x)
        return x


net = Net()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=0.003)

for epoch in range(5):
    running_loss = 0.0
    batches = 0
    for inputs, labels in train_batches:
        optimizer.zero_grad()
        outputs = net(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
        batches += 1
    print(f"[{epoch + 1}] loss: {running_loss / batches:.6f}")

print("Finished Training")

correct = 0
total = 0
with torch.no_grad():
    for inputs, labels in test_batches:
        outputs = net(inputs)
        _, predicted = torch.max(outputs, 1)
        total += labels.size(0)
        correct += (predicted == labels).sum().item()

print(f"result: {correct / total:.4f}")
