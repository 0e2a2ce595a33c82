import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def blinking_squares(n, seed):
    """6x6 pictures with one bright quarter."""
    rng = np.random.default_rng(seed)
    quarter = rng.integers(0, 4, n)
    pictures = rng.uniform(0, 0.6, (n, 6, 6))
    for picture, q in zip(pictures, quarter):
        r, c = divmod(int(q), 2)
        picture[3 * r:3 * r + 3, 3 * c:3 * c + 3] += rng.uniform(0.1, 0.5)
    return TensorDataset(torch.tensor(pictures, dtype=torch.float32), torch.tensor(quarter))


def init_weights(m):
    if isinstance(m, nn.Linear):
        nn.init.xavier_uniform_(m.weight)
        nn.init.zeros_(m.bias)


def main():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 30), nn.ReLU(), nn.Linear(30, 30), nn.ReLU(), nn.Linear(30, 4))
    model.apply(init_weights)
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    train_dl = DataLoader(blinking_squares(1600, 3), batch_size=32, shuffle=True)
    test_dl = DataLoader(blinking_squares(400, 4), batch_size=400)

    for epoch in range(5):
        loss_sum = 0.0
        for xb, yb in train_dl:
            loss = nn.functional.cross_entropy(model(xb), yb)
            loss.backward()
            opt.step()
            opt.zero_grad()
            loss_sum += loss.item()
        print(f"epoch {epoch}, train loss {loss_sum / len(train_dl):.6f}")

    good = 0
    with torch.no_grad():
        for xb, yb in test_dl:
            good += (model(xb).argmax(1) == yb).sum().item()
    print(f"result: {good / len(test_dl.dataset):.4f}")


if __name__ == "__main__":
    main()
