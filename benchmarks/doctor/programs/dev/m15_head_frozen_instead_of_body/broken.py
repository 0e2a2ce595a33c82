import copy

import torch
from torch import nn

import firstlight as fl

torch.manual_seed(50)
train, test = fl.load("fashion_mnist_small")

# first task: the first five classes; second task: the other five
first = train.subset((train.labels < 5).nonzero().flatten()[:1500])
second = train.subset((train.labels >= 5).nonzero().flatten()[:600])
second_test = test.subset(test.labels >= 5)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU())
        self.head = nn.Linear(128, 5)

    def forward(self, x):
        return self.head(self.body(x))


def run(model, batches, offset, optimizer, epochs):
    for epoch in range(epochs):
        s, n = 0.0, 0
        for x, y in batches:
            loss = nn.functional.cross_entropy(model(x), y - offset)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            s, n = s + loss.item() * len(y), n + len(y)
        print(f"epoch {epoch}: {s / n:.6f}")


base = Net()
run(base, first.batches(50, shuffle=True), 0, torch.optim.Adam(base.parameters(), lr=1e-3), epochs=3)

# keep what was learned, train a new head on the second task
model = copy.deepcopy(base)
model.head = nn.Linear(128, 5)
for name, parameter in model.named_parameters():
    if name.startswith("head"):
        parameter.requires_grad = False

trainable = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.Adam(trainable, lr=3e-3)
run(model, second.batches(30, shuffle=True), 5, optimizer, epochs=5)

with torch.no_grad():
    right = sum((model(x).argmax(1) + 5 == y).sum().item() for x, y in second_test.batches(250))
print(f"result: {right / len(second_test):.4f}")
