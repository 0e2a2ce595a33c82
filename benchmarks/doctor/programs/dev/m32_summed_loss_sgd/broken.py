import torch
import torch.nn as nn
import torch.nn.functional as F

import firstlight as fl


def make_net():
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 50),
        nn.ReLU(),
        nn.Linear(50, 10),
    )


def step(net, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(net(images), labels, reduction="sum")
    loss.backward()
    optimizer.step()
    return loss.item()


def check(net, dataset):
    net.eval()
    hits = 0
    with torch.inference_mode():
        for images, labels in dataset.batches(250):
            hits += net(images).argmax(1).eq(labels).sum().item()
    return hits / len(dataset)


def main(epochs=4, lr=0.1):
    torch.manual_seed(32)
    train, test = fl.load("fashion_mnist_small")
    train = train.subset(range(1, 10000, 4))
    net = make_net()
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    for epoch in range(epochs):
        net.train()
        history = [step(net, optimizer, images, labels) for images, labels in train.batches(50, shuffle=True)]
        print(f"epoch {epoch}: last loss {history[-1]:.6f}, mean {sum(history) / len(history):.6f}")
    print(f"result: {check(net, test):.4f}")


if __name__ == "__main__":
    main()
