import torch
import torch.nn as nn

import firstlight as fl


class Encoder(nn.Module):
    def __init__(self, code=16):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, code))

    def forward(self, x):
        return self.net(x)


class Classifier(nn.Module):
    def __init__(self, code=16, classes=10):
        super().__init__()
        self.encoder = Encoder(code)
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(code, classes))

    def forward(self, x):
        code = self.encoder(x).detach()
        return self.head(code)


if __name__ == "__main__":
    torch.manual_seed(10)
    train_set, test_set = fl.load("fashion_mnist_small")
    train_set = train_set.subset(range(3000))

    model = Classifier()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    loss_fn = nn.CrossEntropyLoss()
    loader = train_set.batches(60, shuffle=True)

    for epoch in range(4):
        model.train()
        total, count = 0.0, 0
        for pictures, labels in loader:
            loss = loss_fn(model(pictures), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
            count += len(labels)
        print(f"epoch {epoch + 1}/4 loss={total / count:.6f}")

    model.eval()
    hits = count = 0
    with torch.inference_mode():
        for pictures, labels in test_set.batches(400):
            hits += (model(pictures).argmax(1) == labels).sum().item()
            count += len(labels)
    print(f"result: {hits / count:.4f}")
