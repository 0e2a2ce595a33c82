import firstlight as fl
import torch
from torch import nn

HYPER = {
    "epochs": 3,
    "batch": 60,
    "lr": 0.02,
    "momentum": 0.9,
}


def network(width):
    layers = [nn.Flatten(), nn.Linear(784, width), nn.Sigmoid(), nn.Linear(width, 10)]
    return nn.Sequential(*layers)


def train(net, dataset, h):
    optimizer = torch.optim.SGD(net.parameters(), lr=h["lr"], momentum=h["momentum"])
    batches = dataset.batches(h["batch"], shuffle=True)
    for epoch in range(h["epochs"]):
        net.train()
        mean = 0.0
        for count, (images, labels) in enumerate(batches, start=1):
            loss = nn.functional.cross_entropy(net(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            mean += (loss.item() - mean) / count
        print(f"epoch {epoch} | {mean:.6f}")


def test(net, dataset):
    net.eval()
    right = 0
    with torch.no_grad():
        for images, labels in dataset.batches(500):
            right += torch.eq(net(images).argmax(1), labels).sum().item()
    return right / len(dataset)


if __name__ == "__main__":
    torch.manual_seed(24)
    train_set, test_set = fl.load("fashion_mnist_small")
    net = network(48)
    train(net, train_set.subset(range(3000)), HYPER)
    print(f"result: {test(net, test_set.subset(range(1000))):.4f}")
