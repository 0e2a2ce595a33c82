import torch
from torch import nn, optim


def waves(n, seed):
    g = torch.Generator().manual_seed(seed)
    t = torch.linspace(0, 1, 40)
    kind = torch.randint(0, 3, (n,), generator=g)
    freq = 2.0 + 1.5 * kind + 0.3 * torch.randn(n, generator=g)
    phase = torch.rand(n, generator=g) * 6.28
    x = torch.sin(6.28 * freq[:, None] * t + phase[:, None]) + 0.3 * torch.randn(n, 40, generator=g)
    return x, kind


def clear(parameters):
    for p in parameters:
        if p.grad is not None:
            p.grad.zero_()


def train_one_epoch(net, opt, loss_fn, x, y):
    order = torch.randperm(len(x))
    total = 0.0
    for rows in torch.split(order, 50):
        clear(net.parameters())
        loss = loss_fn(net(x[rows].unsqueeze(1)), y[rows])
        loss.backward()
        opt.step()
        total += loss.item() * len(rows)
    return total / len(x)


def accuracy(net, x, y):
    net.eval()
    with torch.no_grad():
        out = net(x.unsqueeze(1))
    net.train()
    return (out.argmax(-1) == y).double().mean().item()


if __name__ == "__main__":
    torch.manual_seed(2)
    x, y = waves(1500, 1)
    xt, yt = waves(400, 2)
    net = nn.Sequential(nn.Conv1d(1, 12, 9), nn.ReLU(), nn.Conv1d(12, 12, 5), nn.ReLU(), nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Linear(48, 3))
    opt = optim.Adam(net.parameters(), lr=0.004)
    for epoch in range(8):
        print(f"{epoch:2d} {train_one_epoch(net, opt, nn.CrossEntropyLoss(), x, y):.6f}")
    print(f"result: {accuracy(net, xt, yt):.4f}")
