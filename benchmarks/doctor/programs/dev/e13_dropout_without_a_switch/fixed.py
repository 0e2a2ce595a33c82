import torch
import torch.nn as nn
import torch.nn.functional as F


class DigitNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 80)
        self.fc2 = nn.Linear(80, 8)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = F.dropout(x, p=0.3, training=self.training)
        return self.fc2(x)


def written(n, prototypes):
    which = torch.randint(0, len(prototypes), (n,))
    strength = 0.7 + 0.6 * torch.rand(n, 1)
    return prototypes[which] * strength + 0.45 * torch.randn(n, 64), which


def train(model, x, y, n_epochs, batch, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, nesterov=True)
    for epoch in range(n_epochs):
        model.train()
        running = 0.0
        for b in torch.randperm(len(x)).split(batch):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x[b]), y[b])
            loss.backward()
            optimizer.step()
            running += loss.item() * len(b)
        print(f"epoch {epoch + 1} | train loss {running / len(x):.6f}")


def test(model, x, y):
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


def main():
    torch.manual_seed(19)
    prototypes = (torch.rand(8, 64) < 0.3).float()
    x_train, y_train = written(1500, prototypes)
    x_test, y_test = written(500, prototypes)
    model = DigitNet()
    train(model, x_train, y_train, n_epochs=5, batch=50, lr=0.02)
    print(f"result: {test(model, x_test, y_test):.4f}")


if __name__ == "__main__":
    main()
