import math

import torch
from torch import nn

LINKS = torch.tensor([0.9, 0.7, 0.5, 0.3])


def arm_data(n):
    """Four joint angles (and two nuisance readings) -> where the gripper is, in metres."""
    angles = (torch.rand(n, 4) - 0.5) * math.pi
    nuisance = torch.randn(n, 2) * 3 + 1
    total = angles.cumsum(dim=1)
    place = torch.stack([(LINKS * total.cos()).sum(1), (LINKS * total.sin()).sum(1)], dim=1)
    return torch.cat([angles, nuisance], dim=1), place + 0.02 * torch.randn(n, 2)


def build(width=96):
    return nn.Sequential(
        nn.Linear(6, width), nn.SiLU(),
        nn.Linear(width, width), nn.SiLU(),
        nn.Linear(width, 2))


def batches(x, y, size):
    for rows in torch.randperm(len(x)).split(size):
        yield x[rows], y[rows]


def train_one_epoch(model, optimizer, scaler, x, y, device, max_norm=1.0):
    model.train()
    total = 0.0
    for xb, yb in batches(x, y, 64):
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device_type=device, dtype=torch.float16):
            out = model(xb)
        loss = nn.functional.mse_loss(out.float(), yb)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        scaler.step(optimizer)
        scaler.update()
        total += loss.item() * len(xb)
    return total / len(x)


@torch.no_grad()
def rmse(model, x, y):
    model.eval()
    return (model(x) - y).square().mean().sqrt().item()


def main(device="cpu", epochs=12):
    torch.manual_seed(20)
    x, y = arm_data(3200)
    x_test, y_test = arm_data(800)
    mx, sx, my, sy = x.mean(0), x.std(0), y.mean(0), y.std(0)
    x, x_test = (x - mx) / sx, (x_test - mx) / sx
    y, y_test = (y - my) / sy, (y_test - my) / sy
    model = build().to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
    scaler = torch.amp.GradScaler(device, init_scale=4096.0)
    for epoch in range(1, epochs + 1):
        mse = train_one_epoch(model, optimizer, scaler, x, y, device)
        schedule.step()
        print(f"epoch {epoch:2d}  mse {mse:.5f}  scale {scaler.get_scale():.0f}")
    print(f"result: {rmse(model, x_test, y_test):.4f}")


if __name__ == "__main__":
    main()
