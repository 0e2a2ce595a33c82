# %%
import torch
from torch import nn, optim

import firstlight as fl

torch.manual_seed(1)

# %%
train, test = fl.load("fashion_mnist_small")
train = train.subset(range(3200))
test = test.subset(range(1000))
trainloader = train.batches(64, shuffle=True)
testloader = test.batches(250)


# %%
class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 12, 5, padding=2)
        self.norm1 = nn.BatchNorm2d(12)
        self.conv2 = nn.Conv2d(12, 24, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.drop = nn.Dropout(0.3)
        self.fc = nn.Linear(24 * 7 * 7, 10)

    def forward(self, x):
        x = self.pool(torch.relu(self.norm1(self.conv1(x))))
        x = self.pool(torch.relu(self.conv2(x)))
        x = self.drop(x.flatten(1))
        return self.fc(x)


# %%
model = Classifier()
criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(model.parameters(), lr=2e-3)

# %%
epochs = 4
train_losses, test_losses = [], []
for e in range(epochs):
    model.train()
    running_loss = 0
    for images, labels in trainloader:
        optimizer.zero_grad()
        output = model(images)
        loss = criterion(output, labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
    test_loss, correct = 0, 0
    model.eval()
    with torch.no_grad():
        for images, labels in testloader:
            output = model(images)
            test_loss += criterion(output, labels).item()
            top_p, top_class = output.topk(1, dim=1)
            correct += (top_class == labels.view(*top_class.shape)).sum().item()
    train_losses.append(running_loss / len(trainloader))
    test_losses.append(test_loss / len(testloader))
    print(f"Epoch: {e + 1}/{epochs}.. Training Loss: {train_losses[-1]:.6f}.. Test Loss: {test_losses[-1]:.6f}")

# %%
print(f"result: {correct / len(test):.4f}")
