# %%
import torch
import torch.nn.functional as F
from torch import nn

import firstlight as fl

torch.manual_seed(3)

# %%
train_set, test_set = fl.load("fashion_mnist_small")


def as_floats(pictures):
    """Grey pictures as numbers between 0 and 1."""
    return pictures.float().div(255)


x_train, y_train = as_floats(train_set.inputs[:3000]), train_set.labels[:3000]
x_test, y_test = as_floats(test_set.inputs[:1000]), test_set.labels[:1000]
x_train.shape, y_train.shape


# %%
def minibatches(x, y, size, mix):
    order = torch.randperm(len(x)) if mix else torch.arange(len(x))
    for picked in order.split(size):
        yield x[picked], y[picked]


# %%
model = nn.Sequential(
    nn.Flatten(),
    nn.Linear(28 * 28, 256),
    nn.ReLU(),
    nn.Linear(256, 64),
    nn.ReLU(),
    nn.Linear(64, 10),
)
opt = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)

# %%
losses = []
for epoch in range(18):
    model.train()
    epoch_loss = 0.0
    for x, y in minibatches(x_train, y_train, 100, mix=True):
        opt.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        opt.step()
        epoch_loss += loss.item() * len(y) / len(y_train)
    losses.append(epoch_loss)
    print(f"{epoch + 1:>3} {epoch_loss:.6f}")

# %%
model.eval()
right = 0
with torch.no_grad():
    for x, y in minibatches(x_test, y_test, 250, mix=False):
        right += int((model(x).argmax(1) == y).sum())
print(f"result: {right / len(y_test):.4f}")
