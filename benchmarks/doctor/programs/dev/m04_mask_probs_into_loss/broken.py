"""Find the cell nuclei: a small segmentation network on synthetic microscope tiles."""
import torch
import torch.nn as nn


def draw_tile(size, g):
    yy, xx = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    mask = torch.zeros(size, size)
    for _ in range(int(torch.randint(1, 4, (1,), generator=g))):
        cy, cx = torch.randint(4, size - 4, (2,), generator=g)
        r = torch.randint(2, 5, (1,), generator=g)
        mask[((yy - cy) ** 2 + (xx - cx) ** 2) <= r**2] = 1.0
    image = 1.2 * mask + 0.4 * torch.randn(size, size, generator=g)
    return image[None], mask[None]


def make_tiles(n, size, seed):
    g = torch.Generator().manual_seed(seed)
    tiles = [draw_tile(size, g) for _ in range(n)]
    return torch.stack([t[0] for t in tiles]), torch.stack([t[1] for t in tiles])


def build_net(width=10):
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1), nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=2, dilation=2), nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
        nn.Conv2d(width, 1, 1),
    )


def iou(pred, target):
    inter = (pred & target).sum().item()
    union = (pred | target).sum().item()
    return inter / union


def train(net, images, masks, epochs=8, bs=16):
    criterion = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(net.parameters(), lr=8e-3)
    for epoch in range(epochs):
        inter = union = total = 0.0
        for idx in torch.randperm(len(images)).split(bs):
            xb, yb = images[idx], masks[idx]
            logits = net(xb)
            probs = torch.sigmoid(logits)
            loss = criterion(probs, yb)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(idx)
            hard = probs.detach() > 0.5
            inter += (hard & yb.bool()).sum().item()
            union += (hard | yb.bool()).sum().item()
        print(f"epoch {epoch + 1}  loss {total / len(images):.4f}  train IoU {inter / max(union, 1):.4f}")


def main():
    torch.manual_seed(3)
    images, masks = make_tiles(400, 24, seed=1)
    test_images, test_masks = make_tiles(100, 24, seed=2)
    net = build_net()
    train(net, images, masks)
    net.eval()
    with torch.no_grad():
        probs = torch.sigmoid(net(test_images))
    print(f"test IoU: {iou(probs > 0.5, test_masks.bool()):.4f}")


if __name__ == "__main__":
    main()
