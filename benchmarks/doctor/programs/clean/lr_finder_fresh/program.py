import math
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def build():
    return nn.Sequential(nn.Linear(20, 48), nn.ReLU(), nn.Linear(48, 6))


def sweep(loader, low=1e-3, high=3.0, steps=60):
    model = build()
    opt = torch.optim.SGD(model.parameters(), lr=low, momentum=0.9)
    factor = (high / low) ** (1 / steps)
    best_lr, best_fall, smooth, history = low, 0.0, None, []
    batches = iter(loader)
    for step in range(steps):
        x, y = next(batches)
        loss = nn.functional.cross_entropy(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        smooth = loss.item() if smooth is None else 0.8 * smooth + 0.2 * loss.item()
        if history and smooth > 3 * min(history):
            break
        if history and history[-1] - smooth > best_fall:
            best_fall, best_lr = history[-1] - smooth, opt.param_groups[0]["lr"]
        history.append(smooth)
        opt.param_groups[0]["lr"] *= factor
    return best_lr


def main():
    torch.manual_seed(81)
    y = torch.randint(0, 6, (2200,))
    x = 1.1 * torch.randn(6, 20)[y] + torch.randn(2200, 20)
    loader = DataLoader(TensorDataset(x[:1800], y[:1800]), batch_size=30, shuffle=True)
    lr = min(sweep(loader), 0.1)
    print(f"learning rate {lr:.4f}")
    model = build()
    opt = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    for epoch in range(3):
        total = 0.0
        for xb, yb in loader:
            loss = nn.functional.cross_entropy(model(xb), yb)
            opt.zero_grad()
            loss.backward()
            opt.step()
            total += loss.item()
        print(f"epoch {epoch} loss {total / len(loader):.6f}")
    with torch.no_grad():
        accuracy = (model(x[1800:]).argmax(1) == y[1800:]).float().mean().item()
    assert math.isfinite(accuracy)
    print(f"result: {accuracy:.4f}")


main()
