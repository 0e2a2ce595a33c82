import torch
import torch.nn as nn
import torch.optim as optim


def concrete(n):
    """Is concrete of this mixture strong enough? Ingredients in standard units."""
    mix = torch.randn(n, 6)
    strength = mix[:, 0] - 0.7 * mix[:, 1] + 0.8 * torch.tanh(2 * mix[:, 2]) + 0.4 * mix[:, 3] * mix[:, 0]
    return mix, (strength + 0.15 * torch.randn(n) > 0).float()


def build_model():
    return nn.Sequential(
        nn.Linear(6, 64),
        nn.BatchNorm1d(64),
        nn.ReLU(),
        nn.Linear(64, 32),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.Linear(32, 1),
    )


def share_right(model, x, y):
    model.eval()
    with torch.no_grad():
        strong = model(x) > 0
    right = strong == y.bool()[:, None]
    return right.sum().item() / len(y)


def fit(model, x, y, x_val, y_val, epochs=8, batch_size=50):
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(epochs):
        model.train()
        loss_sum = 0.0
        for rows in torch.randperm(len(x)).split(batch_size):
            loss = nn.functional.binary_cross_entropy_with_logits(model(x[rows])[:, 0], y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_sum += loss.item() * len(rows)
        right = share_right(model, x_val, y_val)
        print(f"epoch {epoch + 1}: loss {loss_sum / len(x):.6f}, right {right:.3f}")


if __name__ == "__main__":
    torch.manual_seed(15)
    x, y = concrete(1500)
    x_val, y_val = concrete(200)
    x_test, y_test = concrete(400)
    model = build_model()
    fit(model, x, y, x_val, y_val)
    print(f"result: {share_right(model, x_test, y_test):.4f}")
