import numpy as np
import torch
from torch import nn


def spectra(count, rng, points=128):
    """Near-infrared spectra of grain and the share of oil in it."""
    oil, water = rng.uniform(0, 1, count), rng.uniform(0, 1, count)
    wave = np.linspace(0, 1, points)
    peak = np.exp(-((wave - 0.3) / 0.05) ** 2)
    broad = np.exp(-((wave - 0.7) / 0.15) ** 2)
    curve = oil[:, None] * peak + water[:, None] * broad + 0.3 * (oil * water)[:, None] * np.roll(peak, 40)
    noisy = curve + rng.normal(0, 0.08, curve.shape) + rng.normal(0, 0.1, (count, 1))
    return noisy, (oil - 0.5)[:, None] * 3


def tensor(array):
    return torch.from_numpy(array)


class OilNet(nn.Module):
    def __init__(self, points):
        super().__init__()
        self.smooth = nn.Conv1d(1, 8, 9, stride=2)
        self.again = nn.Conv1d(8, 16, 7, stride=2)
        self.out = nn.Sequential(nn.LazyLinear(32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, x):
        x = torch.relu(self.smooth(x.unsqueeze(1)))
        x = torch.relu(self.again(x))
        return self.out(x.flatten(1))


def loop(model, spectrum, oil, epochs, size):
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
    for epoch in range(epochs):
        summed = 0.0
        for rows in torch.randperm(len(oil)).split(size):
            loss = nn.functional.smooth_l1_loss(model(spectrum[rows]), oil[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            summed += loss.item() * len(rows)
        cosine.step()
        print(f"epoch {epoch}: loss {summed / len(oil):.6f}")


def main():
    torch.manual_seed(90)
    rng = np.random.default_rng(90)
    spectrum, oil = map(tensor, spectra(1600, rng))
    test_spectrum, test_oil = map(tensor, spectra(400, rng))
    model = OilNet(spectrum.shape[1]).to(spectrum.dtype)
    with torch.no_grad():
        model(spectrum[:2])
    loop(model, spectrum, oil, epochs=14, size=64)
    with torch.no_grad():
        left = (model(test_spectrum) - test_oil).pow(2).mean() / test_oil.var()
    print(f"result: {1 - left.item():.4f}")


main()
