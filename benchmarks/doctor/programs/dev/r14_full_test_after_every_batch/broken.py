import firstlight as fl
import torch
import torch.nn.functional as F
from torch import nn


def test(model, x, y):
    model.eval()
    with torch.no_grad():
        hits = (model(x).argmax(dim=1) == y).sum().item()
    model.train()
    return hits / len(y)


def train(model, train_data, x_test, y_test, epochs):
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    model.train()
    curve = []
    for epoch in range(epochs):
        total, n = 0.0, 0
        for x, y in train_data.batches(50, shuffle=True):
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(y)
            n += len(y)
            curve.append(test(model, x_test, y_test))
        print(f"epoch {epoch} loss {total / n:.6f} test {curve[-1]:.4f}")
    return curve


torch.manual_seed(8)
train_data, test_data = fl.load("fashion_mnist_small")
x_test, y_test = test_data[:1000]
model = nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))
curve = train(model, train_data.subset(range(2000)), x_test, y_test, epochs=3)
print(f"result: {curve[-1]:.4f}")
