"""Mini framework of a course: layers are plain objects with a forward method and a list of weights."""
import math
import torch


class Dense:
    def __init__(self, n_in, n_out, act=None):
        self.w = torch.empty(n_in, n_out).uniform_(-1, 1).mul_(math.sqrt(6 / (n_in + n_out))).requires_grad_()
        self.b = torch.zeros(n_out).requires_grad_()
        self.act = act

    def __call__(self, x):
        x = torch.addmm(self.b, x, self.w)
        return self.act(x) if self.act else x

    def weights(self):
        return [self.w, self.b]


class Stack:
    def __init__(self, *layers):
        self.layers = layers

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

    def weights(self):
        return [w for layer in self.layers for w in layer.weights()]


class Momentum:
    def __init__(self, weights, lr, mu=0.9):
        self.pairs, self.lr, self.mu = [(w, torch.zeros_like(w)) for w in weights], lr, mu

    @torch.no_grad()
    def update(self, grads):
        for (w, v), g in zip(self.pairs, grads):
            v.mul_(self.mu).add_(g)
            w.sub_(v, alpha=self.lr)


def herbs(per_kind, seed):
    """Leaves of five herbs, folder after folder."""
    g = torch.Generator().manual_seed(seed)
    middle = torch.randn(5, 10, generator=torch.Generator().manual_seed(42))
    x = torch.cat([m + 0.9 * torch.randn(per_kind, 10, generator=g) for m in middle])
    return x, torch.arange(5).repeat_interleave(per_kind)


def batches(x, y, size):
    order = range(0, len(x), size)
    for start in order:
        yield x[start:start + size], y[start:start + size]


def main():
    torch.manual_seed(9)
    x, y = herbs(400, 1)
    xt, yt = herbs(80, 2)
    model = Stack(Dense(10, 64, torch.tanh), Dense(64, 64, torch.tanh), Dense(64, 5))
    rule = Momentum(model.weights(), lr=0.03)
    for epoch in range(6):
        perm = torch.randperm(len(x))
        x, y = x[perm], y[perm]
        total = 0.0
        for xb, yb in batches(x, y, 25):
            loss = torch.nn.functional.cross_entropy(model(xb), yb)
            rule.update(torch.autograd.grad(loss, model.weights()))
            total += loss.item() * len(yb)
        print("epoch", epoch, f"{total / len(x):.6f}")
    with torch.no_grad():
        print(f"result: {(model(xt).argmax(1) == yt).float().mean().item():.4f}")


main()
