import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(31)

STEPS, GESTURES = 30, 6


def strokes(n):
    """Pen velocities while somebody draws one of six simple gestures."""
    kind = torch.randint(GESTURES, (n,))
    t = torch.linspace(0, 1, STEPS)[None]
    turn = torch.tensor([0.0, 2.0, -2.0, 6.0, -6.0, 0.0])[kind][:, None]
    zigzag = (kind == 5).float()[:, None] * 2.2 * torch.sign(torch.sin(18 * t))
    angle = 0.5 * torch.randn(n, 1) + turn * t * (1 + 0.15 * torch.randn(n, 1)) + zigzag
    speed = 1.0 + 0.3 * torch.rand(n, 1)
    path = torch.stack([speed * angle.cos(), speed * angle.sin()], dim=-1)
    return path + 0.45 * torch.randn(n, STEPS, 2), kind


x_train, y_train = strokes(1600)
x_test, y_test = strokes(600)
mean, std = x_train.mean((0, 1)), x_train.std((0, 1))
x_train, x_test = (x_train - mean) / std, (x_test - mean) / std

parts = nn.ModuleDict({
    "encoder": nn.GRU(2, 48, batch_first=True),
    "head": nn.Linear(48, GESTURES),
})
encoder_opt = torch.optim.Adam(parts["encoder"].parameters(), lr=4e-3)
head_opt = torch.optim.SGD(parts["head"].parameters(), lr=0.05, momentum=0.9)


def predict(x):
    _, last = parts["encoder"](x)
    return parts["head"](last.squeeze(0))


def minibatches(n, size, epochs):
    for _ in range(epochs):
        yield from torch.randperm(n).split(size)


parts.train()
for step, rows in enumerate(minibatches(len(x_train), 64, 12), start=1):
    loss = F.cross_entropy(predict(x_train[rows]), y_train[rows])
    loss.backward()
    nn.utils.clip_grad_norm_(parts["encoder"].parameters(), 1.0)
    encoder_opt.step()
    parts.zero_grad()
    head_opt.step()
    if step % 75 == 0:
        print(f"step {step:4d}  loss {loss.item():.4f}")

parts.eval()
with torch.no_grad():
    hit = (predict(x_test).argmax(1) == y_test).float().mean().item()
print(f"result: {hit:.4f}")
