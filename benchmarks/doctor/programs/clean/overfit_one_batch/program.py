import torch
import torch.nn as nn
import torch.nn.functional as F
import firstlight as fl


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.fc = nn.Linear(16 * 7 * 7, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc(torch.flatten(x, 1))


def overfit_one_batch(model, images, labels, steps=80):
    """Sanity check: a sound model can learn one small batch by heart."""
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for step in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        if step % 20 == 19:
            print(f"step {step + 1} loss {loss.item():.6f}")
    with torch.no_grad():
        return (model(images).argmax(1) == labels).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(0)
    train, _ = fl.load("fashion_mnist_small")
    images, labels = next(iter(train.batches(32, shuffle=True)))
    fitted = overfit_one_batch(ConvNet(), images, labels)
    print(f"result: {fitted:.4f}")
