# %%
import torch
import firstlight as fl
from torch import nn

torch.manual_seed(1)
train, test = fl.load("fashion_mnist_small")
xs, ys = train[:2400]

# %%
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 5, stride=2)
        self.fc = nn.Linear(6 * 6 * 6, 10)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.conv(x)), 2)
        return self.fc(x.flatten(1))


model = Net()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

# %%
for epoch in range(3):
    losses = []
    for chunk in torch.randperm(len(xs)).split(48):
        model.zero_grad()
        loss = nn.functional.cross_entropy(model(xs[chunk]), ys[chunk])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(epoch, f"{sum(losses) / len(losses):.6f}")

# %%
correct = total = 0
with torch.no_grad():
    for x, y in test.batches(250):
        correct += (model(x).argmax(1) == y).sum().item()
        total += len(y)
print(f"result: {correct / total:.4f}")
