import firstlight as fl
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)
train, test = fl.load("fashion_mnist_small")
train, test = train.subset(range(3000)), test.subset(range(1000))


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(28 * 28, 64)
        self.b = nn.Linear(64, 32)
        self.c = nn.Linear(32, 10)

    def forward(self, x):
        x = x.view(x.size(0), -1)
        x = F.relu(self.a(x))
        x = F.relu(self.b(x))
        return self.c(x)


mlp = MLP()
optimizer = torch.optim.SGD(mlp.parameters(), lr=5.0, momentum=0.9)

for epoch in range(1, 4):
    mlp.train()
    loss_total = 0.0
    for images, labels in train.batches(75, shuffle=True):
        loss = F.cross_entropy(mlp(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss_total += loss.item() * len(labels)
    print("epoch", epoch, "loss", format(loss_total / len(train), ".6f"))

mlp.eval()
good = 0
with torch.no_grad():
    for images, labels in test.batches(250):
        good += (mlp(images).max(1).indices == labels).sum().item()
print("result:", format(good / len(test), ".4f"))
