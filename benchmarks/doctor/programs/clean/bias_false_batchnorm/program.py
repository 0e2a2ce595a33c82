import torch
from torch import nn
import firstlight as fl


def conv(inputs, outputs, stride):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


def build():
    return nn.Sequential(nn.AvgPool2d(2), conv(1, 8, 2), conv(8, 16, 2), nn.Flatten(), nn.Linear(256, 10))


def one_epoch(model, batches, optimizer):
    model.train()
    total = count = 0
    for images, labels in batches:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
        count += len(labels)
    return total / count


def evaluate(model, data):
    model.eval()
    hits = 0
    with torch.no_grad():
        for images, labels in data.batches(500):
            hits += (model(images).argmax(1) == labels).sum().item()
    return hits / len(data)


torch.manual_seed(5)
train, test = fl.load("fashion_mnist_small")
train = train.subset(range(3000))
model = build()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
batches = train.batches(75, shuffle=True)
for epoch in range(3):
    print(f"epoch {epoch} loss {one_epoch(model, batches, optimizer):.6f}")
print(f"result: {evaluate(model, test):.4f}")
