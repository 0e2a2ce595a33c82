"""House prices without modules: the weights of the best epoch are taken in the end."""
import torch

torch.manual_seed(19)
x = torch.randn(900, 14)
y = (x[:, :4].sum(1) + x[:, 4] * x[:, 5]).unsqueeze(1) + 0.6 * torch.randn(900, 1)
parts = {"fit": (x[:200], y[:200]), "check": (x[200:500], y[200:500]), "test": (x[500:], y[500:])}


def new_weights(sizes):
    weights = {}
    for i, (a, b) in enumerate(zip(sizes, sizes[1:])):
        weights[f"w{i}"] = torch.nn.Parameter(torch.randn(a, b) * (2 / a) ** 0.5)
        weights[f"b{i}"] = torch.nn.Parameter(torch.zeros(b))
    return weights


def apply(weights, x, depth):
    for i in range(depth):
        x = x @ weights[f"w{i}"] + weights[f"b{i}"]
        if i < depth - 1:
            x = torch.relu(x)
    return x


def error(weights, x, y):
    return torch.nn.functional.mse_loss(apply(weights, x, 3), y)


weights = new_weights([14, 64, 64, 1])
optimizer = torch.optim.Adam(weights.values(), lr=0.005)
best, best_error = None, float("inf")
for epoch in range(30):
    for rows in torch.randperm(200).split(25):
        loss = error(weights, parts["fit"][0][rows], parts["fit"][1][rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        now = error(weights, *parts["check"]).item()
    if now < best_error:
        best_error = now
        best = {name: w.detach().clone() for name, w in weights.items()}
    print(f"epoch {epoch} fit {loss.item():.6f} check {now:.6f}")
with torch.no_grad():
    left = error(best, *parts["test"])
print(f"result: {1 - (left / parts['test'][1].var()).item():.4f}")
