import numpy as np
import torch
import torch.nn.functional as F


def customers(n, rng):
    table = {
        "customer": np.arange(n),
        "months": rng.exponential(20, n),
        "calls": rng.poisson(3, n).astype(float),
        "fee": rng.normal(30, 8, n),
        "data": rng.gamma(2, 4, n),
    }
    push = -0.08 * (table["months"] - 20) + 0.9 * (table["calls"] - 3) + 0.1 * (table["fee"] - 30)
    table["left"] = (push + rng.logistic(0, 0.4, n) > 0.3).astype(float)
    return table


def to_tensors(table):
    names = [name for name in table if name != "customer"]
    x = np.stack([table[name] for name in names], axis=1)
    return torch.tensor(x, dtype=torch.float32), torch.tensor(table["left"], dtype=torch.float32)[:, None]


def minibatches(x, y, size):
    for rows in torch.randperm(len(x)).split(size):
        yield x[rows], y[rows]


def main():
    rng = np.random.default_rng(99)
    torch.manual_seed(99)
    x, y = to_tensors(customers(2400, rng))
    x_train, x_test, y_train, y_test = x[:1800], x[1800:], y[:1800], y[1800:]
    mean, std = x_train.mean(0), x_train.std(0)
    x_train, x_test = (x_train - mean) / std, (x_test - mean) / std

    model = torch.nn.Sequential(torch.nn.Linear(x.shape[1], 16), torch.nn.SiLU(), torch.nn.Linear(16, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-4)
    for epoch in range(5):
        losses = []
        for xb, yb in minibatches(x_train, y_train, 60):
            optimizer.zero_grad()
            loss = F.binary_cross_entropy_with_logits(model(xb), yb)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"epoch {epoch}: loss {np.mean(losses):.6f}")

    model.eval()
    with torch.no_grad():
        leaves = torch.sigmoid(model(x_test)) > 0.5
    print(f"result: {(leaves == y_test.bool()).float().mean().item():.4f}")


main()
