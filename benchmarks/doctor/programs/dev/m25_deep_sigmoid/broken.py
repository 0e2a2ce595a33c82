"""Classify particle tracks with a deep, narrow MLP described by a config dict."""
import numpy as np
import torch
from torch import nn

config = {
    "depth": 9,
    "width": 40,
    "activation": "sigmoid",
    "lr": 1e-3,
    "batch_size": 50,
    "epochs": 10,
    "seed": 14,
}

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


def tracks(n, rng):
    """Four kinds of track seen by 10 detector planes (x and y hit on each)."""
    kind = rng.integers(0, 4, n)
    s = np.linspace(0.1, 1.0, 10)
    curvature = np.array([0.0, 1.2, -1.2, 0.0])[kind] + rng.normal(0, 0.15, n)
    kink = (kind == 3) * rng.choice([-1, 1], n) * rng.uniform(0.8, 1.5, n)
    slope = rng.normal(0, 0.6, n)
    x = slope[:, None] * s + curvature[:, None] * s**2 + kink[:, None] * np.maximum(s - 0.5, 0) * 2
    y = rng.normal(0, 0.6, n)[:, None] * s
    hits = np.concatenate([x, y], axis=1) + rng.normal(0, 0.05, (n, 20))
    return hits.astype(np.float32), kind


def build(cfg, n_in, n_out):
    act = ACTIVATIONS[cfg["activation"]]
    layers, width = [], n_in
    for _ in range(cfg["depth"]):
        linear = nn.Linear(width, cfg["width"])
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        nn.init.zeros_(linear.bias)
        layers += [linear, act()]
        width = cfg["width"]
    return nn.Sequential(*layers, nn.Linear(width, n_out))


def main(cfg):
    torch.manual_seed(cfg["seed"])
    rng = np.random.default_rng(cfg["seed"])
    x_train, y_train = tracks(2000, rng)
    x_test, y_test = tracks(500, rng)
    mean, std = x_train.mean(0), x_train.std(0)
    x_train, x_test = (torch.from_numpy((x - mean) / std) for x in (x_train, x_test))
    y_train, y_test = torch.from_numpy(y_train), torch.from_numpy(y_test)

    net = build(cfg, x_train.shape[1], 4)
    optimizer = torch.optim.Adam(net.parameters(), lr=cfg["lr"])
    criterion = nn.CrossEntropyLoss()
    for epoch in range(cfg["epochs"]):
        net.train()
        loss_sum, right = 0.0, 0
        for idx in torch.randperm(len(x_train)).split(cfg["batch_size"]):
            out = net(x_train[idx])
            loss = criterion(out, y_train[idx])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_sum += loss.item() * len(idx)
            right += (out.argmax(1) == y_train[idx]).sum().item()
        print(f"epoch {epoch}: loss {loss_sum / len(x_train):.4f} train acc {right / len(x_train):.4f}")

    net.eval()
    with torch.no_grad():
        acc = (net(x_test).argmax(1) == y_test).float().mean().item()
    print(f"test acc: {acc:.4f}")


if __name__ == "__main__":
    main(config)
