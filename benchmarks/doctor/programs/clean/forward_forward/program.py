import torch
from torch import nn

KINDS = 4


def with_label(x, y):
    return torch.cat([x, 2.0 * nn.functional.one_hot(y, KINDS)], dim=1)


class Layer(nn.Linear):
    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs)
        self.opt = torch.optim.Adam(self.parameters(), lr=0.01)

    def forward(self, x):
        direction = x / (x.norm(2, 1, keepdim=True) + 1e-4)
        return torch.relu(super().forward(direction))

    def learn(self, positive, negative):
        good, bad = self(positive).pow(2).mean(1), self(negative).pow(2).mean(1)
        loss = nn.functional.softplus(torch.cat([1.0 - good, bad - 1.0])).mean()
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
        with torch.no_grad():
            return self(positive), self(negative), loss.item()


class Net(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.layers = nn.ModuleList(Layer(a, b) for a, b in zip(sizes, sizes[1:]))

    def forward(self, x):
        columns = []
        for label in range(KINDS):
            h, goodness = with_label(x, torch.full((len(x),), label)), 0
            for layer in self.layers:
                h = layer(h)
                goodness = goodness + h.pow(2).mean(1)
            columns.append(goodness)
        return torch.stack(columns, 1)


torch.manual_seed(3)
y = torch.randint(0, KINDS, (1600,))
x = torch.randn(KINDS, 8)[y] * 1.5 + 0.8 * torch.randn(1600, 8)
net = Net([8 + KINDS, 100, 100])
for epoch in range(12):
    losses = [0.0, 0.0]
    for rows in torch.randperm(1280).split(64):
        other = (y[rows] + torch.randint(1, KINDS, y[rows].shape)) % KINDS
        p, n = with_label(x[rows], y[rows]), with_label(x[rows], other)
        for i, layer in enumerate(net.layers):
            p, n, loss = layer.learn(p, n)
            losses[i] += loss / 20
    print(f"epoch {epoch} " + " ".join(f"{v:.6f}" for v in losses))
with torch.no_grad():
    print(f"result: {(net(x[1280:]).argmax(1) == y[1280:]).float().mean().item():.4f}")
