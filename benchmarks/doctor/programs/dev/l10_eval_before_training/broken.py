import torch
from torch import nn

torch.manual_seed(31)

classes, side = 6, 9
masks = (torch.rand(classes, 1, side, side) > 0.5).float()


def pictures(n):
    which = torch.randint(classes, (n,))
    return masks[which] * 1.4 + torch.randn(n, 1, side, side), which


train_x, train_y = pictures(1600)
test_x, test_y = pictures(400)

net = nn.Sequential(
    nn.Conv2d(1, 10, 3), nn.BatchNorm2d(10), nn.ReLU(),
    nn.Conv2d(10, 10, 3, stride=2), nn.BatchNorm2d(10), nn.ReLU(),
    nn.Flatten(), nn.Dropout(0.25), nn.Linear(90, classes),
)
adam = torch.optim.Adam(net.parameters(), lr=1e-3)

for epoch in range(3):
    net.eval()
    loss_sum = 0.0
    for batch in torch.randperm(1600).split(40):
        adam.zero_grad()
        loss = nn.functional.cross_entropy(net(train_x[batch]), train_y[batch])
        loss.backward()
        adam.step()
        loss_sum += loss.item()
    net.eval()
    with torch.no_grad():
        acc = (net(test_x).argmax(1) == test_y).float().mean().item()
    print(f"epoch {epoch} loss {loss_sum / 40:.6f} test accuracy {acc:.4f}")

print(f"result: {acc:.4f}")
