import firstlight as fl
import torch
import torch.nn as nn


def train(model, data, optimizer, epochs):
    for epoch in range(epochs):
        model.train()
        total = 0.0
        for images, labels in data.batches(64, shuffle=True):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(images)
        print(f"epoch {epoch + 1}, loss {total / len(data):.6f}")


def evaluate(model, data):
    model.eval()
    correct = 0
    with torch.no_grad():
        for images, labels in data.batches(200):
            correct += (model(images).argmax(1) == labels).sum().item()
    return correct / len(data)


def main():
    torch.manual_seed(1)
    train_data, test_data = fl.load("fashion_mnist_small")
    train_data = train_data.subset(range(1500))
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    train(model, train_data, optimizer, epochs=10)
    test_accuracy = evaluate(model, test_data)
    print(f"test accuracy {100 * test_accuracy:.1f} %")
    print(f"result: {test_accuracy:.4f}")


main()
