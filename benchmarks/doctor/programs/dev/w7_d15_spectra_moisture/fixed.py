import numpy as np
import torch
from torch import nn


def make_spectra(n=1000, bands=180, seed=15):
    """Near-infrared like curves: smooth sources mixed by hidden concentrations."""
    rng = np.random.default_rng(seed)
    grid = np.linspace(0, 1, bands)
    sources = np.stack([np.exp(-((grid - c) / w) ** 2) for c, w in
                        [(0.1, 0.05), (0.25, 0.1), (0.4, 0.04), (0.55, 0.12), (0.7, 0.05), (0.9, 0.08)]])
    amounts = rng.gamma(3.0, 0.4, (n, len(sources)))
    spectra = amounts @ sources + 0.3 * rng.standard_normal((n, 1)) + 0.03 * rng.standard_normal((n, bands))
    moisture = amounts[:, 0] * amounts[:, 2] + np.sqrt(amounts[:, 4]) - 0.5 * amounts[:, 5]
    moisture = moisture + 0.05 * rng.standard_normal(n)
    return torch.tensor(spectra, dtype=torch.float32), torch.tensor(moisture, dtype=torch.float32)


def principal_axes(curves, k):
    centre = curves.mean(0)
    _, s, vh = torch.linalg.svd(curves - centre, full_matrices=False)
    return centre, vh[:k], s[:k] / (len(curves) - 1) ** 0.5


def project(curves, centre, axes, spread):
    return (curves - centre) @ axes.T / spread


def regressor(k):
    return nn.Sequential(nn.Linear(k, 256), nn.SiLU(), nn.Linear(256, 256), nn.SiLU(), nn.Linear(256, 1))


def batches(n, size):
    for rows in torch.randperm(n).split(size):
        yield rows


def fit(net, x, y, epochs=40, lr=1e-3):
    opt = torch.optim.Adam(net.parameters(), lr=lr)
    sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, T_max=epochs)
    net.train()
    for epoch in range(epochs):
        total = 0.0
        for rows in batches(len(x), 64):
            opt.zero_grad()
            loss = nn.functional.mse_loss(net(x[rows]).squeeze(1), y[rows])
            loss.backward()
            opt.step()
            total += loss.item() * len(rows)
        sched.step()
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1}: train mse {total / len(x):.4f}")


def r_squared(net, x, y):
    net.eval()
    with torch.no_grad():
        err = (net(x).squeeze(1) - y).square().sum()
    return 1.0 - (err / (y - y.mean()).square().sum()).item()


def main():
    torch.manual_seed(15)
    spectra, moisture = make_spectra()
    order = torch.randperm(len(spectra))
    train, test = order[:750], order[750:]
    basis = principal_axes(spectra[train], k=10)
    z = project(spectra, *basis)
    mean, std = moisture[train].mean(), moisture[train].std()
    target = (moisture - mean) / std
    net = regressor(z.shape[1])
    fit(net, z[train], target[train])
    print(f"result: {r_squared(net, z[test], target[test]):.4f}")


if __name__ == "__main__":
    main()
