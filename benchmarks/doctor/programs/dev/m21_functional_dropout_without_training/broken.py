import torch
import torch.nn as nn
import torch.nn.functional as F

import firstlight as fl

torch.manual_seed(5)
train_ds, test_ds = fl.load("fashion_mnist_small")
train_ds = train_ds.subset(range(2000))


class FashionNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.l1 = nn.Linear(28 * 28, 80)
        self.l2 = nn.Linear(80, 40)
        self.l3 = nn.Linear(40, 10)

    def forward(self, x):
        x = x.view(-1, 28 * 28)
        x = F.relu(self.l1(x))
        x = F.dropout(x, 0.25)
        x = F.relu(self.l2(x))
        return self.l3(x)


model = FashionNet()
optimizer = torch.optim.NAdam(model.parameters(), lr=0.002)

for epoch in range(4):
    model.train()
    total_loss, n = 0, 0
    for data, target in train_ds.batches(40, shuffle=True):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(data), target)
        loss.backward()
        optimizer.step()
        total_loss += loss
        n += 1
    print(f"epoch {epoch}: {float(total_loss / n):.6f}")

model.eval()
correct = 0
with torch.no_grad():
    for data, target in test_ds.batches(200):
        correct += (model(data).argmax(dim=1) == target).sum().item()
print(f"result: {correct / len(test_ds):.4f}")
