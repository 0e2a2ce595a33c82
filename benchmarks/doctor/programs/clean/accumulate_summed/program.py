import math
import torch
import torch.nn.functional as F


def make_rows(count, generator):
    rows = torch.rand(count, 6, generator=generator) * 2 - 1
    target = torch.sin(math.pi * rows[:, 0]) + rows[:, 1] * rows[:, 2] + 0.5 * rows[:, 3]
    return rows, target.unsqueeze(1)


def build():
    return torch.nn.Sequential(
        torch.nn.Linear(6, 64), torch.nn.Tanh(), torch.nn.Linear(64, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1)
    )


def fit(net, rows, target, epochs=20, chunk=32, group=4):
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
    for epoch in range(epochs):
        order = torch.randperm(len(rows))
        seen, mean_loss = 0, 0.0
        pieces = order.split(chunk)
        for start in range(0, len(pieces), group):
            total = 0
            for piece in pieces[start:start + group]:
                total = total + F.mse_loss(net(rows[piece]), target[piece])
            total = total / len(pieces[start:start + group])
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
            mean_loss += total.item()
            seen += 1
        print("epoch", epoch, "loss", format(mean_loss / seen, ".6f"))


def r_squared(net, rows, target):
    with torch.no_grad():
        rest = ((net(rows) - target) ** 2).sum()
    return (1 - rest / ((target - target.mean()) ** 2).sum()).item()


def main():
    torch.manual_seed(11)
    generator = torch.Generator().manual_seed(5)
    train_rows, train_target = make_rows(1536, generator)
    test_rows, test_target = make_rows(512, generator)
    net = build()
    fit(net, train_rows, train_target)
    print(f"result: {r_squared(net, test_rows, test_target):.4f}")


if __name__ == "__main__":
    main()
