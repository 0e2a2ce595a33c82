import torch
from torch import nn
import firstlight as fl

torch.manual_seed(12)
EPOCHS = 3


def load_data():
    train, test = fl.load("fashion_mnist_small")
    return train.subset(range(2400)), test.subset(range(600))


def make_model():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(),
        nn.AdaptiveAvgPool2d(6), nn.Flatten(), nn.Linear(8 * 36, 10),
    )


def train_epoch(model, batches, criterion, optimizer):
    model.train()
    running_loss = 0
    n = 0
    for images, labels in batches:
        optimizer.zero_grad()
        outputs = model(images)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        running_loss += loss.item()
        n += 1
    return running_loss / n


def validate(model, batches):
    model.eval()
    correct = total = 0
    with torch.no_grad():
        for images, labels in batches:
            _, predicted = torch.max(model(images), 1)
            total += labels.size(0)
            correct += (predicted == labels).sum().item()
    return correct / total


train_data, test_data = load_data()
model = make_model()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for epoch in range(EPOCHS):
    mean_loss = train_epoch(model, train_data.batches(60, shuffle=True), criterion, optimizer)
    print(f"Epoch {epoch}: training loss {mean_loss:.6f}")
print(f"result: {validate(model, test_data.batches(100)):.4f}")
