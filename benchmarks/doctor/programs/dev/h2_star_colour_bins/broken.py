import os
import tempfile

import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset


def sky_survey(n, noise):
    """Brightness in nine bands for stars of five temperatures."""
    kind = torch.randint(0, 5, (n,))
    band = torch.linspace(0.2, 1.0, 9)
    heat = 1.0 + 0.45 * kind.float().unsqueeze(1) + 0.12 * torch.randn(n, 1)
    glow = band ** -3 / (torch.exp(2.2 / (band * heat)) - 1)
    seen = torch.log(glow) + noise * torch.randn(n, 9)
    distance = torch.randn(n, 1)
    return seen + distance, kind


def new_model():
    return nn.Sequential(
        nn.Linear(9, 96), nn.BatchNorm1d(96), nn.ReLU(), nn.Dropout(0.2),
        nn.Linear(96, 96), nn.BatchNorm1d(96), nn.ReLU(), nn.Dropout(0.2),
        nn.Linear(96, 5),
    )


def run_epoch(model, loader, optimizer, criterion):
    loss_sum = 0.0
    for features, target in loader:
        optimizer.zero_grad()
        output = model(features)
        loss = criterion(output, target)
        loss.backward()
        optimizer.step()
        loss_sum += loss.item() * target.size(0)
    return loss_sum / len(loader.dataset)


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    hits = sum((model(f).argmax(1) == t).sum().item() for f, t in loader)
    return hits / len(loader.dataset)


def save(model, path):
    torch.save(model.state_dict(), path)


def restore(path):
    model = new_model()
    model.load_state_dict(torch.load(path, weights_only=True))
    model.eval()
    return model


def main():
    torch.manual_seed(14)
    criterion = nn.CrossEntropyLoss()
    bright = DataLoader(TensorDataset(*sky_survey(1500, 0.02)), batch_size=50, shuffle=True)
    faint = DataLoader(TensorDataset(*sky_survey(2000, 0.10)), batch_size=50, shuffle=True)
    check = DataLoader(TensorDataset(*sky_survey(800, 0.10)), batch_size=200)

    model = new_model()
    optimizer = optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(2):
        print(f"bright {epoch} loss {run_epoch(model, bright, optimizer, criterion):.6f}")

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "bright.pt")
        save(model, path)
        model = restore(path)

    optimizer = optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(8):
        print(f"faint {epoch} loss {run_epoch(model, faint, optimizer, criterion):.6f}")
    print(f"result: {evaluate(model, check):.4f}")


if __name__ == "__main__":
    main()
