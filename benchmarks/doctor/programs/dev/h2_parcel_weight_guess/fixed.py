import torch
import torch.nn as nn


def make_parcels(n):
    sides = torch.rand(n, 3) * 1.5 + 0.5
    material = torch.randint(0, 3, (n,))
    density = torch.tensor([0.4, 1.0, 1.7])[material]
    weight = sides.prod(1) * density + 0.05 * torch.randn(n)
    return torch.cat([sides, nn.functional.one_hot(material, 3).float()], 1), weight.unsqueeze(1)


def make_net():
    return nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))


def forward_batch(net, parcels):
    return net(parcels)


def train(net, x, y, epochs=8, batch=20):
    opt = torch.optim.Adam(net.parameters(), lr=5e-3)
    mse = nn.MSELoss()
    for epoch in range(epochs):
        total = 0.0
        order = torch.randperm(len(x))
        for i in range(0, len(x), batch):
            rows = order[i:i + batch]
            opt.zero_grad()
            guess = forward_batch(net, x[rows])
            loss = mse(guess, y[rows])
            loss.backward()
            opt.step()
            total += loss.item() * len(rows)
        print("epoch", epoch, "loss", format(total / len(x), ".6f"))


def main():
    torch.manual_seed(88)
    x, y = make_parcels(900)
    x_new, y_new = make_parcels(300)
    net = make_net()
    train(net, x[:800], y[:800])
    net.eval()
    with torch.no_grad():
        error = (forward_batch(net, x_new) - y_new).pow(2).mean()
    print("result: %.4f" % (1 - error / y_new.var()).item())


if __name__ == "__main__":
    main()
