import math

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset, random_split


def paint_leaves(count):
    """Colour pictures of leaves, 20 x 20: healthy, brown spots, yellow rim."""
    kinds = torch.randint(0, 3, (count,))
    axis = torch.linspace(-1, 1, 20)
    rows, columns = torch.meshgrid(axis, axis, indexing="ij")
    pictures = torch.empty(count, 3, 20, 20)
    for i, kind in enumerate(kinds.tolist()):
        tilt = torch.rand(1).item() * math.pi
        along = rows * math.cos(tilt) + columns * math.sin(tilt)
        across = columns * math.cos(tilt) - rows * math.sin(tilt)
        reach = (along / 0.9) ** 2 + (across / 0.55) ** 2
        leaf = (reach < 1).float()
        red, green, blue = 0.2 * leaf, 0.6 * leaf, 0.15 * leaf
        if kind == 1:
            for _ in range(3):
                a, b = (torch.rand(2) - 0.5).tolist()
                spot = ((along - a) ** 2 + (across - 0.6 * b) ** 2 < 0.02).float() * leaf
                red, green = red + 0.25 * spot, green - 0.3 * spot
        elif kind == 2:
            rim = leaf * (reach > 0.75).float()
            red = red + 0.35 * rim
        pictures[i] = torch.stack([red, green, blue])
    pictures += 0.15 * torch.randn(pictures.shape)
    return TensorDataset((pictures - 0.2) / 0.25, kinds)


def make_loaders(count, batch_size):
    leaves = paint_leaves(count)
    train_part, test_part = random_split(leaves, [0.75, 0.25])
    train_loader = DataLoader(leaves, batch_size=batch_size, shuffle=True)
    test_loader = DataLoader(test_part, batch_size=batch_size)
    return train_loader, test_loader


class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(3, 12, 3)
        self.conv2 = nn.Conv2d(12, 24, 3)
        self.fc1 = nn.Linear(24 * 3 * 3, 48)
        self.fc2 = nn.Linear(48, 3)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        return F.log_softmax(self.fc2(x), dim=1)


def train(model, loader, optimizer, epoch):
    model.train()
    total, seen = 0.0, 0
    for data, target in loader:
        optimizer.zero_grad()
        loss = F.nll_loss(model(data), target)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(data)
        seen += len(data)
    print("Epoch {}: loss {:.6f}".format(epoch, total / seen))


def test(model, loader):
    model.eval()
    test_loss, correct, seen = 0.0, 0, 0
    with torch.no_grad():
        for data, target in loader:
            output = model(data)
            test_loss += F.nll_loss(output, target, reduction="sum").item()
            correct += output.argmax(dim=1).eq(target).sum().item()
            seen += len(data)
    print("Test: loss {:.6f}".format(test_loss / seen))
    return correct / seen


def main():
    torch.manual_seed(15)
    train_loader, test_loader = make_loaders(2400, 60)
    model = Net()
    optimizer = optim.Adam(model.parameters(), lr=1e-3)
    scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=0.3)
    for epoch in range(1, 9):
        train(model, train_loader, optimizer, epoch)
        scheduler.step()
    print("result: {:.4f}".format(test(model, test_loader)))


if __name__ == "__main__":
    main()
