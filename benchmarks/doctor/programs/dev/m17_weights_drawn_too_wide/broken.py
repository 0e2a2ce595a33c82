import torch
import torch.nn as nn
import torch.nn.functional as F

import firstlight as fl


class Dense(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_out, n_in))
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, x):
        return F.linear(x, self.weight, self.bias)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = Dense(784, 100)
        self.two = Dense(100, 50)
        self.three = Dense(50, 10)

    def forward(self, x):
        x = x.reshape(len(x), -1)
        return self.three(F.relu(self.two(F.relu(self.one(x)))))


def main() -> None:
    torch.manual_seed(0)
    train, test = fl.load("fashion_mnist_small")
    train = train.subset(range(2400))
    model = Model()
    opt = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(4):
        mean_loss = steps = 0
        for x, y in train.batches(40, shuffle=True):
            opt.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            opt.step()
            steps += 1
            mean_loss += (loss.item() - mean_loss) / steps
        print(f"epoch {epoch} loss {mean_loss:.6f}")
    with torch.no_grad():
        right = sum((model(x).argmax(1) == y).sum().item() for x, y in test.batches(500))
    print(f"result: {right / len(test):.4f}")


main()
