import torch
from torch import nn


def crosses(n, seed):
    g = torch.Generator().manual_seed(seed)
    y = torch.randint(0, 3, (n,), generator=g)
    x = 0.5 * torch.randn(n, 1, 9, 9, generator=g)
    for i in range(n):
        a, b = torch.randint(2, 7, (2,), generator=g).tolist()
        if y[i] != 1:
            x[i, 0, a, b - 2:b + 3] += 1.5
        if y[i] != 0:
            x[i, 0, a - 2:a + 3, b] += 1.5
    return x, y


def main():
    torch.manual_seed(73)
    x, y = crosses(900, 1)
    xt, yt = crosses(300, 2)
    model = nn.Sequential(nn.Conv2d(1, 12, 5), nn.ReLU(), nn.Flatten(), nn.Linear(300, 32), nn.ReLU(), nn.Linear(32, 3))
    opt = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for epoch in range(5):
        total = 0.0
        for rows in torch.randperm(900).split(45):
            opt.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                out = model(x[rows])
                loss = nn.functional.cross_entropy(out, y[rows])
            loss.backward()
            opt.step()
            total += loss.item() / 20
        print(f"epoch {epoch} loss {total:.6f}")
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        guess = model(xt).argmax(dim=1)
    print(f"result: {(guess == yt).float().mean().item():.4f}")


if __name__ == "__main__":
    main()
