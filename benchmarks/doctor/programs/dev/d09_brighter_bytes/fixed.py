from typing import Tuple

import numpy as np
import torch
import torch.nn as nn


def scenes(count: int, rng: np.random.Generator) -> Tuple[np.ndarray, np.ndarray]:
    """Grey photographs with one bright object: a bar, a corner, a ring or nothing."""
    grid_y, grid_x = np.mgrid[0:14, 0:14]
    photos = np.zeros((count, 14, 14))
    kinds = rng.integers(0, 4, size=count)
    for photo, kind in zip(photos, kinds):
        cy, cx = rng.uniform(4, 9, size=2)
        dy, dx = np.abs(grid_y - cy), np.abs(grid_x - cx)
        shape = [(dy < 1.2) & (dx < 4), (dy < 4) & (dx < 4) & ((dy > 2) ^ (dx > 2)), np.abs(np.hypot(dy, dx) - 3) < 1, dy < 0][kind]
        light = rng.uniform(40, 125) + rng.uniform(-4, 4) * (grid_x - 7)
        photo += light + rng.uniform(50, 80) * shape + rng.normal(0, 6, photo.shape)
    return np.clip(photos, 0, 255).astype(np.uint8), kinds


def brighten(photos: np.ndarray, amount: int = 70) -> np.ndarray:
    return np.clip(photos.astype(np.int16) + amount, 0, 255)


def prepare(photos: np.ndarray) -> torch.Tensor:
    bright = brighten(photos).astype(np.float32)
    return torch.from_numpy(bright / 255.0 - 0.6).unsqueeze(1)


def make_model() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 12, kernel_size=3),
        nn.ReLU(),
        nn.Conv2d(12, 16, kernel_size=3, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 25, 32),
        nn.ReLU(),
        nn.Linear(32, 4),
    )


def main() -> None:
    torch.manual_seed(13)
    rng = np.random.default_rng(13)
    photos, kinds = scenes(1600, rng)
    x, y = prepare(photos), torch.from_numpy(kinds)
    test_photos, test_kinds = scenes(400, rng)
    x_test, y_test = prepare(test_photos), torch.from_numpy(test_kinds)

    model = make_model()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(8):
        model.train()
        loss_sum = 0.0
        for chosen in torch.randperm(len(x)).chunk(32):
            optimizer.zero_grad()
            loss = criterion(model(x[chosen]), y[chosen])
            loss.backward()
            optimizer.step()
            loss_sum += loss.item()
        print(f"epoch {epoch}: loss={loss_sum / 32:.6f}")

    model.eval()
    with torch.no_grad():
        accuracy = (model(x_test).argmax(1) == y_test).float().mean().item()
    print(f"result: {accuracy:.4f}")


main()
