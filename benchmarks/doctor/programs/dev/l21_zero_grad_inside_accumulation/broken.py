import firstlight as fl
import torch
import torch.nn as nn
import torch.nn.functional as F

ACCUMULATION_STEPS = 4
MICRO_BATCH = 16


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear1 = nn.Linear(784, 64)
        self.linear2 = nn.Linear(64, 10)

    def forward(self, x):
        return self.linear2(F.relu(self.linear1(x.reshape(len(x), -1))))


def train(model, batches, optimizer):
    model.train()
    total = 0.0
    for i, (x, y) in enumerate(batches):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y) / ACCUMULATION_STEPS
        loss.backward()
        if (i + 1) % ACCUMULATION_STEPS == 0:
            optimizer.step()
        total += loss.item() * ACCUMULATION_STEPS
    return total / len(batches)


def test(model, batches):
    model.eval()
    correct, count = 0, 0
    with torch.no_grad():
        for x, y in batches:
            correct += (model(x).argmax(1) == y).sum().item()
            count += y.numel()
    return correct / count


def main():
    torch.manual_seed(1234)
    train_set, test_set = fl.load("fashion_mnist_small")
    batches = train_set.subset(range(2560)).batches(MICRO_BATCH, shuffle=True)
    model = Model()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(3):
        print(f"epoch {epoch} loss {train(model, batches, optimizer):.6f}")
    print(f"result: {test(model, test_set.subset(range(800)).batches(200)):.4f}")


if __name__ == "__main__":
    main()
