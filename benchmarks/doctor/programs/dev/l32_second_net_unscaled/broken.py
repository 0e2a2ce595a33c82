"""Deep mutual learning: two small networks teach each other, in mixed precision."""
import torch
import torch.nn as nn
import torch.nn.functional as F

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
DTYPE = torch.float16
CLASSES, STEPS = 5, 48


def gestures(n, g):
    """Accelerometer traces of five gestures, three axes each."""
    y = torch.randint(CLASSES, (n,), generator=g)
    t = torch.linspace(0, 6.2832, STEPS)
    k = torch.arange(1, CLASSES + 1).float()[y, None]
    phase = 0.6 * torch.randn(n, 1, generator=g)
    x = torch.stack([torch.sin(k * t + phase), torch.cos((6 - k) * t + phase), torch.sin(t + phase) * k / 5], dim=1)
    return x + 0.8 * torch.randn(n, 3, STEPS, generator=g), y


def make_mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * STEPS, 64), nn.ReLU(), nn.Linear(64, CLASSES))


def make_cnn():
    return nn.Sequential(
        nn.Conv1d(3, 16, 5, padding=2), nn.ReLU(), nn.MaxPool1d(4),
        nn.Conv1d(16, 16, 3, padding=1), nn.ReLU(), nn.MaxPool1d(3),
        nn.Flatten(), nn.Linear(64, CLASSES),
    )


def mutual_loss(own, other, y, weight=0.3):
    teach = F.kl_div(F.log_softmax(own, 1), F.softmax(other.detach(), 1), reduction="batchmean")
    return F.cross_entropy(own, y) + weight * teach


@torch.no_grad()
def accuracy(net, x, y):
    net.eval()
    with torch.autocast(DEVICE, dtype=DTYPE):
        out = net(x.to(DEVICE))
    return (out.argmax(1).cpu() == y).float().mean().item()


def main():
    torch.manual_seed(17)
    g = torch.Generator().manual_seed(4)
    x, y = gestures(1600, g)
    x_test, y_test = gestures(500, g)

    net_a, net_b = make_mlp().to(DEVICE), make_cnn().to(DEVICE)
    opt_a = torch.optim.Adam(net_a.parameters(), lr=1e-3)
    opt_b = torch.optim.Adam(net_b.parameters(), lr=2e-3)
    scaler = torch.amp.GradScaler(DEVICE, init_scale=1024.0)

    for epoch in range(8):
        net_a.train()
        net_b.train()
        sum_a = sum_b = 0.0
        for idx in torch.randperm(len(x)).split(40):
            xb, yb = x[idx].to(DEVICE), y[idx].to(DEVICE)
            with torch.autocast(DEVICE, dtype=DTYPE):
                out_a, out_b = net_a(xb), net_b(xb)
            loss_a = mutual_loss(out_a.float(), out_b.float(), yb)
            loss_b = mutual_loss(out_b.float(), out_a.float(), yb)

            opt_a.zero_grad()
            scaler.scale(loss_a).backward()
            scaler.step(opt_a)

            opt_b.zero_grad()
            loss_b.backward()
            scaler.step(opt_b)
            scaler.update()

            sum_a += loss_a.item() * len(idx)
            sum_b += loss_b.item() * len(idx)
        print(f"epoch {epoch}  mlp {sum_a / len(x):.4f}  cnn {sum_b / len(x):.4f}")

    print(f"mlp accuracy: {accuracy(net_a, x_test, y_test):.4f}")
    print(f"cnn accuracy: {accuracy(net_b, x_test, y_test):.4f}")


if __name__ == "__main__":
    main()
