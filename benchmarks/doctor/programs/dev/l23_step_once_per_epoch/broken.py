import torch
import torch.nn.functional as F
from torch import nn
import firstlight as fl


class Squeeze(nn.Module):
    def __init__(self, code=12):
        super().__init__()
        self.inward = nn.Linear(196, 64)
        self.middle = nn.Linear(64, code)
        self.outward = nn.Linear(code, 196)

    def forward(self, x):
        return self.outward(F.leaky_relu(self.middle(F.leaky_relu(self.inward(x)))))


def half_size(pictures):
    return F.avg_pool2d(pictures, 2).flatten(1)


def learn(model, batches, optimizer):
    model.train()
    losses = []
    optimizer.zero_grad()
    for pictures, _ in batches:
        small = half_size(pictures)
        loss = F.mse_loss(model(small), small)
        loss.backward()
        losses.append(loss.item())
    optimizer.step()
    optimizer.zero_grad()
    return sum(losses) / len(losses)


@torch.no_grad()
def kept(model, pictures):
    model.eval()
    small = half_size(pictures)
    left = (model(small) - small).pow(2).sum()
    return 1 - (left / (small - small.mean(0)).pow(2).sum()).item()


torch.manual_seed(20)
train, test = fl.load("fashion_mnist_small")
train = train.subset(range(2000))
model = Squeeze()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
batches = train.batches(40, shuffle=True)
for epoch in range(6):
    print(f"epoch {epoch} loss {learn(model, batches, optimizer):.6f}")
held_out, _ = test[:500]
print(f"result: {kept(model, held_out):.4f}")
