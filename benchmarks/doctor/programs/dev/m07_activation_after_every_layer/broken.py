import torch
from torch import nn

import firstlight as fl


class MLP(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:]))

    def forward(self, x):
        x = x.flatten(1)
        for layer in self.layers:
            x = layer(x).relu()
        return x


class Learner:
    def __init__(self, model, train, test):
        self.model, self.train, self.test = model, train, test
        self.opt = torch.optim.Adam(model.parameters(), lr=1e-3)
        self.loss_func = nn.CrossEntropyLoss()

    def one_pass(self, batches):
        total, right, n = 0.0, 0, 0
        for xb, yb in batches:
            out = self.model(xb)
            loss = self.loss_func(out, yb)
            if self.model.training:
                loss.backward()
                self.opt.step()
                self.opt.zero_grad()
            total += loss.item() * len(yb)
            right += (out.argmax(dim=1) == yb).sum().item()
            n += len(yb)
        return total / n, right / n

    def fit(self, epochs):
        for epoch in range(epochs):
            self.model.train()
            train_loss, _ = self.one_pass(self.train)
            self.model.eval()
            with torch.no_grad():
                test_loss, test_acc = self.one_pass(self.test)
            print(f"{epoch}: train {train_loss:.6f}  test {test_loss:.6f}  acc {test_acc:.3f}")
        return test_acc


if __name__ == "__main__":
    torch.manual_seed(13)
    train, test = fl.load("fashion_mnist_small")
    train = train.subset(range(2500))
    learner = Learner(MLP([784, 64, 32, 10]), train.batches(50, shuffle=True), test.batches(500))
    accuracy = learner.fit(4)
    print(f"result: {accuracy:.4f}")
