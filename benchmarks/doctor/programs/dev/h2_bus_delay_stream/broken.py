import torch
from torch import nn


def rides(n, seed):
    gen = torch.Generator().manual_seed(seed)
    stops = torch.randint(2, 30, (n, 1), generator=gen).float() / 10
    traffic = torch.rand(n, 1, generator=gen) * 2 - 1
    weather = torch.randn(n, 1, generator=gen)
    riders = torch.randn(n, 1, generator=gen)
    delay = stops * torch.sigmoid(3 * traffic) + 0.6 * torch.relu(weather) * riders
    delay = delay + 0.1 * torch.randn(n, 1, generator=gen)
    return torch.cat([stops - 1.5, traffic, weather, riders], dim=1), delay


def stream(inputs, targets, size):
    order = torch.randperm(len(inputs))
    for i in range(0, len(order), size):
        chosen = order[i:i + size]
        yield inputs[chosen], targets[chosen]


def fit(model, loss_fn, opt, inputs, targets, epochs, size=25):
    epoch = 0
    batches = stream(inputs, targets, size)
    while epoch < epochs:
        loss_sum = samples = 0
        for x, delay in batches:
            loss = loss_fn(model(x), delay)
            opt.zero_grad()
            loss.backward()
            opt.step()
            loss_sum += loss.item() * len(x)
            samples += len(x)
        epoch += 1
        print(f"epoch {epoch}/{epochs} loss {loss_sum / max(samples, 1):.6f}")


def explained(model, inputs, targets):
    model.eval()
    with torch.inference_mode():
        gap = (model(inputs) - targets).var()
    return 1 - (gap / targets.var()).item()


torch.manual_seed(44)
model = nn.Sequential(nn.Linear(4, 160), nn.Softplus(), nn.Linear(160, 160), nn.Softplus(), nn.Linear(160, 1))
fit(model, nn.HuberLoss(), torch.optim.Adam(model.parameters(), lr=2e-3), *rides(2000, 1), epochs=10)
print(f"result: {explained(model, *rides(600, 2)):.4f}")
