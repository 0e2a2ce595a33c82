import torch
import torch.nn.functional as F
from torch import nn

import firstlight as fl

BATCH = 50
EPOCHS = 6
FIRST_RATE = 0.002


def get_data():
    train, test = fl.load("fashion_mnist_small")
    return train.subset(range(2500)), test.subset(range(600))


def get_model():
    def stage(cin, cout):
        return nn.Sequential(nn.Conv2d(cin, cout, 3, padding=1, bias=False), nn.BatchNorm2d(cout), nn.ReLU(), nn.MaxPool2d(2))

    return nn.Sequential(stage(1, 8), stage(8, 16), nn.Flatten(), nn.Dropout(0.2), nn.Linear(16 * 7 * 7, 10))


def train_one_epoch(model, train, optimizer, epoch):
    model.train()
    summed = count = 0
    for images, labels in train.batches(BATCH, shuffle=True):
        logits = model(images)
        loss = F.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        summed += loss.item() * len(labels)
        count += len(labels)
    print(f"epoch {epoch}: training loss {summed / count:.6f}")


def evaluate(model, test):
    model.eval()
    correct = 0
    with torch.no_grad():
        for images, labels in test.batches(100):
            correct += (model(images).argmax(dim=1) == labels).sum().item()
    return correct / len(test)


def main():
    torch.manual_seed(11)
    train, test = get_data()
    model = get_model()
    for epoch in range(EPOCHS):
        rate = FIRST_RATE * 0.8**epoch
        optimizer = torch.optim.Adam(model.parameters(), lr=rate)
        train_one_epoch(model, train, optimizer, epoch)
    print(f"result: {evaluate(model, test):.4f}")


if __name__ == "__main__":
    main()
