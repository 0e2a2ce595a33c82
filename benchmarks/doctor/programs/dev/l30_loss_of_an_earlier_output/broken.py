import torch
import torch.nn as nn
import torch.optim as optim

torch.manual_seed(60)


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.stack = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 3))

    def forward(self, x):
        return self.stack(x)


def sphere_parts(n):
    x = torch.randn(n, 3)
    return x, x.abs().argmax(dim=1)


inputs, labels = sphere_parts(1200)
test_inputs, test_labels = sphere_parts(300)
net = Two()
criterion = nn.CrossEntropyLoss()
optimizer = optim.Adam(net.parameters(), lr=0.01)

output = net(inputs[:40])
print("before training, one batch:", format(criterion(output, labels[:40]).item(), ".6f"))

for epoch in range(5):
    total = 0.0
    for i in range(0, 1200, 40):
        optimizer.zero_grad()
        outputs = net(inputs[i:i + 40])
        loss = criterion(output, labels[i:i + 40])
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch} loss {total / 30:.6f}")


def test():
    net.eval()
    with torch.no_grad():
        return (net(test_inputs).argmax(1) == test_labels).float().mean().item()


print(f"result: {test():.4f}")
