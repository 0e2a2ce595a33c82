import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

LENGTH = 40


def wave(kind, rng):
    t = np.arange(LENGTH) / LENGTH
    f = rng.uniform(2, 4)
    phase = rng.uniform(0, 2 * np.pi)
    if kind == 0:
        s = np.sin(2 * np.pi * f * t + phase)
    elif kind == 1:
        s = np.sign(np.sin(2 * np.pi * f * t + phase))
    else:
        s = 2 * ((f * t + phase / 6.28) % 1) - 1
    return s + rng.normal(0, 0.25, LENGTH)


def get_data(n, seed):
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 3, n)
    series = np.stack([wave(k, rng) for k in kinds]).astype("float32")
    return TensorDataset(torch.from_numpy(series).unsqueeze(1), torch.from_numpy(kinds))


def get_model():
    return nn.Sequential(
        nn.Conv1d(1, 16, 7, padding=3), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(16, 16, 5, padding=2), nn.ReLU(), nn.AdaptiveMaxPool1d(4),
        nn.Flatten(),
        nn.Linear(64, 3),
        nn.Sigmoid(),
    )


def evaluate(model, loader):
    model.eval()
    ok, n = 0, 0
    with torch.no_grad():
        for signal, kind in loader:
            prediction = model(signal).argmax(dim=1)
            ok += prediction.eq(kind).sum().item()
            n += kind.shape[0]
    return ok / n


def train(model, train_loader, test_loader, epochs, lr):
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    for epoch in range(epochs):
        model.train()
        cumulative = 0.0
        for signal, kind in train_loader:
            optimizer.zero_grad()
            output = model(signal)
            loss = criterion(output, kind)
            loss.backward()
            optimizer.step()
            cumulative += loss.item() * kind.shape[0]
        print(f"Epoch {epoch + 1}/{epochs} - loss {cumulative / len(train_loader.dataset):.6f} "
              f"- test acc {evaluate(model, test_loader):.3f}")


torch.manual_seed(7)
train_loader = DataLoader(get_data(1500, 1), batch_size=64, shuffle=True)
test_loader = DataLoader(get_data(500, 2), batch_size=256)
model = get_model()
train(model, train_loader, test_loader, epochs=8, lr=0.05)
print(f"result: {evaluate(model, test_loader):.4f}")
