import torch
from torch import nn


def fit(net, x, y, epochs=6):
    opt = torch.optim.Adam(net.parameters(), lr=0.01)
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(x)).split(25):
            loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
            opt.zero_grad()
            loss.backward()
            opt.step()
            total += loss.item() * len(rows)
        print(f"epoch {epoch} loss {total / len(x):.6f}")


def calibrate(logits, y):
    log_t = torch.zeros(1, requires_grad=True)
    opt = torch.optim.LBFGS([log_t], lr=0.2, max_iter=40)

    def closure():
        opt.zero_grad()
        loss = nn.functional.cross_entropy(logits / log_t.exp(), y)
        loss.backward()
        return loss

    loss = opt.step(closure)
    print(f"temperature {log_t.exp().item():.3f} loss before {loss.item():.6f}")
    return log_t.exp().item()


torch.manual_seed(111)
y = torch.randint(0, 5, (1800,))
x = 0.9 * torch.randn(5, 18)[y] + torch.randn(1800, 18)
net = nn.Sequential(nn.Linear(18, 64), nn.ReLU(), nn.Linear(64, 5))
fit(net, x[:1000], y[:1000])
with torch.no_grad():
    logits = net(x)
t = calibrate(logits[1000:1300], y[1000:1300])
sure = (logits[1300:] / t).softmax(1)
print(f"mean confidence {sure.max(1).values.mean():.4f}")
print(f"result: {(sure.argmax(1) == y[1300:]).float().mean().item():.4f}")
