"""Machine states by windows of 5 channels and 16 moments; network without modules."""
import torch
import torch.nn.functional as F

torch.manual_seed(41)
CHANNELS, TIME = 5, 16


def windows(n):
    state = torch.randint(0, 5, (n,))
    x = 0.7 * torch.randn(n, TIME, CHANNELS)
    x[torch.arange(n), :, state] += torch.sin(torch.linspace(0, 9, TIME)) * 0.9
    return x, state


def weight(*shape):
    fan = shape[0] if len(shape) == 2 else shape[1] * shape[2]
    return (torch.randn(*shape) * fan**-0.5).requires_grad_()


kernel = weight(24, CHANNELS, 3)
inner = weight(24 * TIME, 48)
outer = weight(48, 5)
theta = [kernel, inner, outer]


def as_channels(x):
    """Channels first, as conv1d wants them."""
    return x.permute(2, 0, 1).reshape(-1, CHANNELS, TIME)


def logits(x):
    h = F.relu(F.conv1d(as_channels(x), kernel, padding=1))
    h = F.relu(h.flatten(1) @ inner)
    return h @ outer


class Momentum:
    def __init__(self, tensors, rate):
        self.tensors, self.rate = tensors, rate
        self.speed = [torch.zeros_like(t) for t in tensors]

    def update(self, slopes):
        for t, v, s in zip(self.tensors, self.speed, slopes):
            v.mul_(0.9).add_(s)
            t.data.add_(v, alpha=-self.rate)


x, state = windows(1600)
x_test, state_test = windows(400)
mover = Momentum(theta, 0.01)
for epoch in range(6):
    total = 0.0
    for rows in torch.randperm(1600).split(40):
        loss = F.cross_entropy(logits(x[rows]), state[rows])
        mover.update(torch.autograd.grad(loss, theta))
        total += loss.item() / 40
    print(f"epoch {epoch}: {total:.6f}")
with torch.no_grad():
    print(f"result: {(logits(x_test).argmax(1) == state_test).float().mean().item():.4f}")
