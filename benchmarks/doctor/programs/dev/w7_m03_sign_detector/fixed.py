import torch
import torch.nn as nn
import torch.nn.functional as F

SIDE, KINDS = 28, 4


def draw_scenes(count, gen):
    rows = torch.arange(SIDE).view(1, SIDE, 1)
    cols = torch.arange(SIDE).view(1, 1, SIDE)
    half = torch.randint(4, 8, (count,), generator=gen).view(-1, 1, 1)
    cy = torch.randint(8, SIDE - 8, (count,), generator=gen).view(-1, 1, 1)
    cx = torch.randint(8, SIDE - 8, (count,), generator=gen).view(-1, 1, 1)
    dy, dx = (rows - cy).abs(), (cols - cx).abs()
    square = torch.maximum(dy, dx) <= half
    forms = torch.stack([
        square,
        dy + dx <= half,
        square & ((dy <= 1) | (dx <= 1)),
        square & (torch.maximum(dy, dx) >= half - 1),
    ], dim=1).float()
    kind = torch.randint(0, KINDS, (count,), generator=gen)
    scene = forms[torch.arange(count), kind] + 0.25 * torch.randn(count, SIDE, SIDE, generator=gen)
    box = torch.cat([cy, cx, 2 * half, 2 * half], dim=1).view(count, 4).float() / SIDE
    return scene.unsqueeze(1), box, kind


def build():
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(24 * 7 * 7, 64), nn.ReLU(), nn.Linear(64, 4 + KINDS),
    )


def detect(net, scene):
    raw = net(scene)
    return raw[:, :4].sigmoid(), raw[:, 4:]


def objective(net, scene, box, kind):
    where, what = detect(net, scene)
    return 5 * F.smooth_l1_loss(where, box) + F.cross_entropy(what, kind)


def fit(net, scene, box, kind, epochs=10):
    opt = torch.optim.Adam(net.parameters(), lr=2e-3)
    for epoch in range(epochs):
        net.train()
        total = 0.0
        for pick in torch.randperm(len(scene)).split(50):
            loss = objective(net, scene[pick], box[pick], kind[pick])
            opt.zero_grad()
            loss.backward()
            opt.step()
            total += loss.item() * len(pick)
        print(f"epoch {epoch}: {total / len(scene):.4f}")


@torch.no_grad()
def evaluate(net, scene, box, kind):
    net.eval()
    where, what = detect(net, scene)
    print(f"mean box error {(where - box).abs().mean().item() * SIDE:.2f} pixels")
    return (what.argmax(1) == kind).float().mean().item()


def main():
    torch.manual_seed(6)
    gen = torch.Generator().manual_seed(6)
    train, test = list(draw_scenes(1500, gen)), list(draw_scenes(400, gen))
    mean, std = train[0].mean(), train[0].std()
    train[0], test[0] = (train[0] - mean) / std, (test[0] - mean) / std
    net = build()
    fit(net, *train)
    print(f"result: {evaluate(net, *test):.4f}")


main()
