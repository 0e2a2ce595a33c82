import torch
import torch.nn as nn
import torch.nn.functional as F

import firstlight as fl


class ConvNet(nn.Module):
    def __init__(self, channels=(1, 6, 12)):
        super().__init__()
        self.blocks = nn.ModuleList([
            nn.Conv2d(c_in, c_out, kernel_size=3, padding=1) for c_in, c_out in zip(channels, channels[1:])
        ])
        self.classify = nn.Linear(channels[-1] * 3 * 3, 10)

    def forward(self, x):
        x = F.avg_pool2d(x, 2)
        for block in self.blocks:
            x = F.max_pool2d(F.relu(block(x)), 2)
        return self.classify(torch.flatten(x, 1))


def train_epoch(model, batches, optimizer):
    model.train()
    losses = []
    for images, labels in batches:
        logits = model(images)
        loss = F.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


@torch.no_grad()
def test_epoch(model, batches):
    model.eval()
    right, seen = 0, 0
    for images, labels in batches:
        right += (model(images).argmax(-1) == labels).sum().item()
        seen += labels.numel()
    return right / seen


def main():
    torch.manual_seed(4)
    train, test = fl.load("fashion_mnist_small")
    train = train.subset(range(0, 10000, 4))
    test = test.subset(range(800))
    model = ConvNet()
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    for epoch in range(4):
        loss = train_epoch(model, train.batches(50, shuffle=True), optimizer)
        print(f"epoch {epoch + 1} loss {loss:.6f}")
    print(f"result: {test_epoch(model, test.batches(200)):.4f}")


main()
