import torch
import torch.nn.functional as F
from torch import nn

SIDE = 16


def draw_tiles(count, generator):
    labels = torch.randint(0, 4, (count,), generator=generator)
    ramp = torch.arange(SIDE).float()
    yy, xx = torch.meshgrid(ramp, ramp, indexing="ij")
    fields = torch.stack([yy, xx, yy + xx, yy - xx])
    phase = torch.rand(count, 1, 1, generator=generator) * 6.28
    tiles = torch.sin(fields[labels] * 1.1 + phase)
    tiles = tiles + 0.8 * torch.randn(tiles.shape, generator=generator)
    return tiles.unsqueeze(1), labels


def make_model():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2),
        nn.Flatten(), nn.Linear(64, 4),
    )


def run_epoch(model, x, y, opt, size=32):
    order = torch.randperm(len(x))
    summed = 0.0
    for start in range(0, len(x), size):
        pick = order[start:start + size]
        opt.zero_grad()
        loss = F.cross_entropy(model(x[pick]), y[pick])
        loss.backward()
        opt.step()
        summed += loss.item() * len(pick)
    return summed / len(x)


def accuracy(model, x, y):
    model.eval()
    with torch.no_grad():
        hits = (model(x).argmax(dim=1) == y).float().mean().item()
    model.train()
    return hits


def main():
    torch.manual_seed(11)
    gen = torch.Generator().manual_seed(3)
    x_train, y_train = draw_tiles(1600, gen)
    x_test, y_test = draw_tiles(500, gen)
    model = make_model()
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for epoch in range(6):
        mean_loss = run_epoch(model, x_train, y_train, opt)
        print(f"epoch {epoch + 1}: loss {mean_loss:.6f}")
    print(f"result: {accuracy(model, x_test, y_test):.4f}")


if __name__ == "__main__":
    main()
