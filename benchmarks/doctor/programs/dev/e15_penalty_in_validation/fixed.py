import torch
from torch import nn


def problem(n, generator):
    x = torch.randn(n, 16, generator=generator)
    y = (x[:, :4].square().sum(1) > 3.5).long() + (x[:, 4] > 0.8).long()
    return x, y


def penalty(model, strength=1e-3):
    return strength * sum(p.square().sum() for p in model.parameters())


def objective(model, x, y):
    entropy = nn.functional.cross_entropy(model(x), y)
    return entropy, entropy + penalty(model)


def run_validation(model, x, y):
    model.eval()
    with torch.no_grad():
        loss, _ = objective(model, x, y)
        accuracy = (model(x).argmax(1) == y).float().mean().item()
    return loss.item(), accuracy


def main():
    torch.manual_seed(80)
    g = torch.Generator().manual_seed(80)
    x, y = problem(2400, g)
    x_val, y_val = problem(600, g)
    model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 3))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    accuracy = 0.0
    for epoch in range(10):
        model.train()
        data_loss = 0.0
        for rows in torch.randperm(len(x)).split(80):
            optimizer.zero_grad()
            entropy, loss = objective(model, x[rows], y[rows])
            loss.backward()
            optimizer.step()
            data_loss += entropy.item() * len(rows)
        val_loss, accuracy = run_validation(model, x_val, y_val)
        print(f"epoch {epoch}: train loss {data_loss / len(x):.6f}, val loss {val_loss:.6f}")
    print(f"result: {accuracy:.4f}")


main()
