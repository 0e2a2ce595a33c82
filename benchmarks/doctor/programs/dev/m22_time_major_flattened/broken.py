import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

STEPS, AXES, GESTURES = 12, 3, 5


def record_gestures(n, rng, basis):
    """Accelerometer traces: each gesture is a smooth 3-axis curve, played with random speed and force."""
    label = rng.integers(0, GESTURES, n)
    t = np.linspace(0, 1, STEPS)[None, :] * rng.uniform(0.85, 1.15, (n, 1))
    waves = np.stack([np.sin(2 * np.pi * k * t) for k in (1, 2, 3)], axis=-1)
    trace = np.einsum("ntk,nka->nta", waves, basis[label]) * rng.uniform(0.7, 1.3, (n, 1, 1))
    trace = trace + rng.normal(0, 0.8, trace.shape)
    return trace, label


def collate_time_first(batch):
    xs, ys = zip(*batch)
    return torch.stack(xs, dim=1), torch.stack(ys)


class GestureNet(nn.Module):
    def __init__(self, hidden=24):
        super().__init__()
        self.gru = nn.GRU(AXES, hidden)
        self.mlp = nn.Sequential(nn.Linear(STEPS * hidden, 40), nn.ReLU(), nn.Linear(40, GESTURES))

    def forward(self, x):
        out, _ = self.gru(x)
        n = x.size(1)
        out = out.reshape(n, -1)
        return self.mlp(out)


def run_epoch(net, loader, optimizer=None):
    loss_fn = nn.CrossEntropyLoss()
    net.train(optimizer is not None)
    loss_sum = hits = seen = 0
    with torch.set_grad_enabled(optimizer is not None):
        for x, y in loader:
            logits = net(x)
            loss = loss_fn(logits, y)
            if optimizer is not None:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            loss_sum += loss.item() * len(y)
            hits += (logits.argmax(1) == y).sum().item()
            seen += len(y)
    return loss_sum / seen, hits / seen


def main():
    torch.manual_seed(33)
    rng = np.random.default_rng(33)
    basis = rng.normal(0, 0.8, (GESTURES, 3, AXES))
    train_x, train_y = record_gestures(1280, rng, basis)
    test_x, test_y = record_gestures(384, rng, basis)
    mean, std = train_x.mean((0, 1)), train_x.std((0, 1))

    def loader(x, y, shuffle):
        x = torch.tensor((x - mean) / std, dtype=torch.float32)
        return DataLoader(TensorDataset(x, torch.from_numpy(y)), 32, shuffle=shuffle, collate_fn=collate_time_first)

    train_dl, test_dl = loader(train_x, train_y, True), loader(test_x, test_y, False)
    net = GestureNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for epoch in range(5):
        loss, acc = run_epoch(net, train_dl, optimizer)
        print(f"epoch {epoch}: loss {loss:.4f} acc {acc:.3f}")
    _, acc = run_epoch(net, test_dl)
    print(f"result: {acc:.4f}")


if __name__ == "__main__":
    main()
