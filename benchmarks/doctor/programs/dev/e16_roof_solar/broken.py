import numpy as np
import torch
import torch.nn as nn


class RoofTable:
    """Yearly yield of solar roofs from tilt, heading, shade, area and eight other columns."""

    def __init__(self, n, rng):
        raw = rng.uniform(-1, 1, size=(n, 12))
        tilt, head, shade, area = raw[:, 0], raw[:, 1], raw[:, 2], raw[:, 3]
        gain = (1.4 + area) * (np.cos(1.3 * tilt) + 0.5 * np.cos(2.2 * head)) - 0.9 * np.maximum(shade, 0)
        self.x = raw * np.array([45, 90, 0.5, 30, 8, 12, 2, 5, 20, 1, 3, 15])
        self.y = 4.0 + 1.5 * gain + rng.normal(0, 0.25, n)


class Learner:
    def __init__(self, train, check, lr=3e-3, batch=50):
        mu, sd = train.x.mean(0), train.x.std(0)
        self.mean_y, self.std_y = train.y.mean(), train.y.std()
        self.train = self.tensors(train, mu, sd)
        self.check = self.tensors(check, mu, sd)
        self.batch = batch
        self.net = nn.Sequential(
            nn.Linear(12, 96), nn.SiLU(), nn.Dropout(0.3), nn.Linear(96, 96), nn.SiLU(), nn.Dropout(0.3), nn.Linear(96, 1)
        )
        self.opt = torch.optim.AdamW(self.net.parameters(), lr=lr, weight_decay=1e-3)
        self.loss = nn.MSELoss()

    def tensors(self, table, mu, sd):
        x = torch.as_tensor((table.x - mu) / sd, dtype=torch.float32)
        y = torch.as_tensor((table.y - self.mean_y) / self.std_y, dtype=torch.float32)
        return x, y.unsqueeze(1)

    def train_one_epoch(self):
        self.net.train()
        x, y = self.train
        total, count = 0.0, 0
        for idx in torch.randperm(len(x)).split(self.batch):
            self.opt.zero_grad()
            loss = self.loss(self.net(x[idx]), y[idx])
            loss.backward()
            self.opt.step()
            total += loss.item() * len(idx)
            count += len(idx)
        return total / count

    def measure(self, data):
        self.net.eval()
        x, y = data
        with torch.no_grad():
            return self.loss(self.net(x), y).item()

    def run(self, epochs):
        for epoch in range(1, epochs + 1):
            fit_error = self.train_one_epoch()
            check_error = self.measure(self.check)
            gap = check_error - fit_error
            if epoch % 5 == 0:
                advice = "overfitting, get more roofs" if gap > 0.01 else "no overfitting, a larger net would pay"
                print(f"{epoch:3d}  fitted {fit_error:.4f}  unseen {check_error:.4f}  gap {gap:+.4f}  {advice}")


def main():
    torch.manual_seed(2)
    rng = np.random.default_rng(2)
    train, check, final = RoofTable(900, rng), RoofTable(300, rng), RoofTable(400, rng)
    learner = Learner(train, check)
    learner.run(25)
    mu, sd = train.x.mean(0), train.x.std(0)
    rmse = learner.measure(learner.tensors(final, mu, sd)) ** 0.5 * learner.std_y
    print(f"rmse on the roofs kept for last: {rmse:.4f} MWh")


main()
