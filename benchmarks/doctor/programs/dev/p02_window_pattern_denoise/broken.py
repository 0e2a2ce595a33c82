"""Cleans noisy pictures of window lattices with a small convolutional denoiser."""
import torch
from torch import nn

CONFIG = dict(pictures=240, test=120, side=14, noise=0.5, batch=20, epochs=14, lr=3e-3)


def lattices(n, side, gen):
    pics = torch.zeros(n, 1, side, side)
    for pic in pics:
        a, b = torch.randint(2, 5, (2,), generator=gen).tolist()
        start = torch.randint(0, 4, (2,), generator=gen).tolist()
        pic[0, start[0]::a + 1] = 1.0
        pic[0, :, start[1]::b + 1] = 1.0
    return pics


def make_denoiser():
    return nn.Sequential(
        nn.Conv2d(1, 24, 3, padding=1), nn.ReLU(), nn.Dropout(0.05),
        nn.Conv2d(24, 24, 3, padding=1), nn.ReLU(),
        nn.Conv2d(24, 24, 3, padding=1), nn.ReLU(),
        nn.Conv2d(24, 1, 3, padding=1),
    )


def preview(net, pics, noise):
    """Error on a few pictures under the very same dirt each time, to compare epochs."""
    torch.manual_seed(0)
    same_dirt = torch.randn(pics.shape)
    net.eval()
    with torch.no_grad():
        return nn.functional.mse_loss(net(pics + noise * same_dirt), pics).item()


def train_epoch(net, opt, pics, noise, batch):
    net.train()
    total = 0.0
    for rows in torch.randperm(len(pics)).split(batch):
        clean = pics[rows]
        dirty = clean + noise * torch.randn_like(clean)
        loss = nn.functional.mse_loss(net(dirty), clean)
        opt.zero_grad(set_to_none=True)
        loss.backward()
        opt.step()
        total += loss.item() * len(rows)
    return total / len(pics)


def main(cfg):
    torch.manual_seed(5)
    gen = torch.Generator().manual_seed(5)
    pics = lattices(cfg["pictures"], cfg["side"], gen)
    shown = lattices(30, cfg["side"], gen)
    unseen = lattices(cfg["test"], cfg["side"], gen)
    net = make_denoiser()
    opt = torch.optim.Adam(net.parameters(), lr=cfg["lr"])
    for epoch in range(cfg["epochs"]):
        train_loss = train_epoch(net, opt, pics, cfg["noise"], cfg["batch"])
        seen_err = preview(net, shown, cfg["noise"])
        print(f"{epoch:2d} train {train_loss:.4f} preview {seen_err:.4f}")
    net.eval()
    with torch.no_grad():
        dirty = unseen + cfg["noise"] * torch.randn(unseen.shape, generator=gen)
        mse = nn.functional.mse_loss(net(dirty), unseen).item()
    print(f"left-over error on unseen lattices: {mse:.4f}")


if __name__ == "__main__":
    main(CONFIG)
