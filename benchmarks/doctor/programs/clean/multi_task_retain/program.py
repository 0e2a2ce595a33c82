import torch
from torch import nn


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(8, 48), nn.ReLU())
        self.kind = nn.Linear(48, 3)
        self.amount = nn.Linear(48, 1)

    def forward(self, x):
        h = self.trunk(x)
        return self.kind(h), self.amount(h).squeeze(1)


def make(n, g):
    x = torch.randn(n, 8, generator=g)
    a = x @ MIX
    return x, a[:, :3].argmax(1), torch.sin(a[:, 3]) + 0.1 * torch.randn(n, generator=g)


torch.manual_seed(23)
MIX = torch.randn(8, 4) / 2
g = torch.Generator().manual_seed(3)
x, kind, amount = make(1600, g)
xt, kind_t, amount_t = make(400, g)
net = TwoHeads()
opt = torch.optim.Adam(net.parameters(), lr=0.006)
ce, mse = nn.CrossEntropyLoss(), nn.MSELoss()

for epoch in range(8):
    sums = [0.0, 0.0]
    for i in torch.randperm(1600).split(40):
        a, b = net(x[i])
        loss_kind, loss_amount = ce(a, kind[i]), mse(b, amount[i])
        opt.zero_grad()
        loss_kind.backward(retain_graph=True)
        loss_amount.backward()
        opt.step()
        sums[0] += loss_kind.item() / 40
        sums[1] += loss_amount.item() / 40
    print(f"epoch {epoch} kind {sums[0]:.6f} amount {sums[1]:.6f}")

with torch.no_grad():
    a, b = net(xt)
    accuracy = (a.argmax(1) == kind_t).float().mean()
    error = mse(b, amount_t)
print(f"error of the amount {error.item():.4f}")
print(f"result: {accuracy.item():.4f}")
