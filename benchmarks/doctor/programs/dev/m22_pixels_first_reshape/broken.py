import torch
import torch.nn.functional as F

import firstlight as fl


def flatten(images):
    return images.reshape(28 * 28, -1).t()


def forward(weights, images):
    a, a0, b, b0 = weights
    hidden = F.leaky_relu(F.linear(flatten(images), a, a0))
    return F.linear(hidden, b, b0)


def start(n_hidden):
    a = torch.empty(n_hidden, 784)
    b = torch.empty(10, n_hidden)
    torch.nn.init.kaiming_uniform_(a)
    torch.nn.init.kaiming_uniform_(b)
    return [w.requires_grad_() for w in (a, torch.zeros(n_hidden), b, torch.zeros(10))]


def main():
    torch.manual_seed(3)
    train, test = fl.load("fashion_mnist_small")
    train = train.subset(range(2560))
    test = test.subset(range(1920))
    weights = start(64)
    optimizer = torch.optim.SGD(weights, lr=0.03, momentum=0.9)
    for epoch in range(4):
        total = 0.0
        for images, labels in train.batches(64, shuffle=True):
            loss = F.cross_entropy(forward(weights, images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
        print(f"epoch {epoch + 1}: loss {total / len(train):.6f}")

    correct = 0
    with torch.no_grad():
        for images, labels in test.batches(64):
            correct += forward(weights, images).argmax(1).eq(labels).sum().item()
    print(f"result: {correct / len(test):.4f}")


main()
