import math

import numpy as np
import torch
import torch.nn.functional as F


def make_table(n, rng):
    kind = rng.integers(0, 3, size=n)
    centres = np.array([[0.0, 1.2, -0.6, 0.4], [1.0, -0.8, 0.9, -0.5], [-1.1, -0.3, 0.1, 1.0]])
    core = centres[kind] + rng.normal(0, 0.55, size=(n, 4))
    mixed = np.concatenate([core, core[:, :2] * core[:, 2:], rng.normal(size=(n, 5))], axis=1)
    return mixed.astype("float32"), kind.astype("int64")


def standardise(train, *others):
    mean, std = train.mean(axis=0), train.std(axis=0)
    return [(part - mean) / std for part in (train, *others)]


def minibatches(X, y, size, rng):
    order = rng.permutation(len(X))
    X = X[order]
    for start in range(0, len(X), size):
        stop = start + size
        yield torch.from_numpy(X[start:stop]), torch.from_numpy(y[start:stop])


def dense(n_in, n_out):
    bound = math.sqrt(2.0 / n_in)
    weight = (torch.randn(n_out, n_in) * bound).requires_grad_()
    bias = torch.zeros(n_out, requires_grad=True)
    return weight, bias


def predict(params, x):
    (w1, b1), (w2, b2), (w3, b3) = params
    x = torch.tanh(F.linear(x, w1, b1))
    x = torch.tanh(F.linear(x, w2, b2))
    return F.linear(x, w3, b3)


def score(params, X, y):
    with torch.no_grad():
        guess = predict(params, torch.from_numpy(X)).argmax(dim=1).numpy()
    return float((guess == y).mean())


def main():
    torch.manual_seed(11)
    rng = np.random.default_rng(11)
    X_train, y_train = make_table(2400, rng)
    X_test, y_test = make_table(600, rng)
    X_train, X_test = standardise(X_train, X_test)

    params = [dense(11, 48), dense(48, 48), dense(48, 3)]
    flat = [p for pair in params for p in pair]
    opt = torch.optim.RMSprop(flat, lr=2e-3)
    for epoch in range(12):
        seen, running = 0, 0.0
        for xb, yb in minibatches(X_train, y_train, 40, rng):
            loss = F.cross_entropy(predict(params, xb), yb)
            opt.zero_grad()
            loss.backward()
            opt.step()
            running += loss.item() * len(yb)
            seen += len(yb)
        print(f"epoch {epoch:2d}  loss {running / seen:.6f}")
    print(f"result: {score(params, X_test, y_test):.4f}")


if __name__ == "__main__":
    main()
