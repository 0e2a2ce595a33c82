import copy

import torch
from torch import nn
from torch.nn import functional as F


def make_table(count, generator):
    """Mushrooms: measured cap, stem and gills, and one of four families."""
    x = torch.randn(count, 14, generator=generator)
    noise = 0.1 * torch.randn(count, 4, generator=generator)
    scores = torch.stack(
        [
            x[:, 0] + x[:, 1] * x[:, 2],
            x[:, 3] - x[:, 1] * x[:, 2],
            1.2 * torch.sin(2 * x[:, 4]) + x[:, 5],
            x[:, 6].abs() * 1.5 - 0.6 + 0.5 * x[:, 7],
        ],
        dim=1,
    )
    return x, (scores + noise).argmax(dim=1)


def build(widths, activation=nn.ReLU):
    parts = []
    for a, b in zip(widths, widths[1:]):
        parts += [nn.Linear(a, b), activation()]
    return nn.Sequential(*parts[:-1])


def batches(x, y, size):
    for rows in torch.randperm(len(x)).split(size):
        yield x[rows], y[rows]


def measure(model, x, y):
    model.eval()
    with torch.no_grad():
        scores = model(x)
    return F.cross_entropy(scores, y).item(), (scores.argmax(1) == y).float().mean().item()


def fit(model, train, valid, *, epochs=25, size=60, lr=1e-3, patience=4):
    """Train until the validation loss has not fallen for a while; ends with the best weights."""
    learner = model
    optimizer = torch.optim.AdamW(learner.parameters(), lr=lr)
    best_loss, best_state, waited = float("inf"), None, 0
    for epoch in range(epochs):
        learner.train()
        total = 0.0
        for x, y in batches(*train, size):
            optimizer.zero_grad()
            loss = F.cross_entropy(learner(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)
        valid_loss, valid_accuracy = measure(learner, *valid)
        print(f"{epoch:3d} train {total / len(train[0]):.6f} valid {valid_loss:.6f} ({valid_accuracy:.3f})")
        if valid_loss < best_loss:
            best_loss, waited = valid_loss, 0
            best_state = copy.deepcopy(learner.state_dict())
        else:
            waited += 1
            if waited == patience:
                break
    learner.load_state_dict(best_state)
    return best_loss


if __name__ == "__main__":
    torch.manual_seed(4)
    generator = torch.Generator().manual_seed(44)
    train, valid, test = (make_table(count, generator) for count in (3600, 600, 600))
    model = build([14, 320, 320, 4])
    best = fit(model, train, valid)
    print(f"best validation loss {best:.6f}")
    test_loss, test_accuracy = measure(model, *test)
    print(f"test loss {test_loss:.6f}")
    print(f"result: {test_accuracy:.4f}")
