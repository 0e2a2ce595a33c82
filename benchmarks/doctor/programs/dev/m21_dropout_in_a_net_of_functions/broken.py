"""Noise on the line? A network of plain functions."""
import functools
import torch
import torch.nn.functional as F

torch.manual_seed(15)


def signals(n):
    kind = torch.randint(0, 3, (n,))
    time = torch.linspace(0, 6.28, 24)
    wave = torch.sin(time * (kind + 1).unsqueeze(1) + 6.28 * torch.rand(n, 1))
    return wave + 0.9 * torch.randn(n, 24), kind


def dense(a, b):
    w = torch.empty(b, a)
    torch.nn.init.xavier_uniform_(w)
    return w.requires_grad_(), torch.zeros(b, requires_grad=True)


LAYERS = [dense(24, 96), dense(96, 48), dense(48, 3)]


def network(x, training):
    for w, b in LAYERS[:-1]:
        x = F.dropout(F.relu(F.linear(x, w, b)), 0.5)
    return F.linear(x, *LAYERS[-1])


learn = functools.partial(network, training=True)
predict = functools.partial(network, training=False)


def accuracy(x, kind):
    with torch.no_grad():
        return (predict(x).argmax(1) == kind).float().mean().item()


x, kind = signals(3000)
x_test, kind_test = signals(800)
optimizer = torch.optim.AdamW([p for pair in LAYERS for p in pair], lr=2e-3)
for epoch in range(6):
    running = 0.0
    for rows in torch.randperm(len(x)).split(60):
        loss = F.cross_entropy(learn(x[rows]), kind[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        running += loss.item() * len(rows) / len(x)
    print(f"epoch {epoch} loss {running:.6f} accuracy {accuracy(x_test, kind_test):.3f}")
print(f"result: {accuracy(x_test, kind_test):.4f}")
