import torch
import torch.nn as nn

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
torch.manual_seed(36)


def bumps(n, width=32):
    centre = torch.rand(n, 2) * 0.8 + 0.1
    height = torch.rand(n, 2) + 0.5
    grid = torch.linspace(0, 1, width)
    return (height[..., None] * torch.exp(-((grid - centre[..., None]) / 0.08) ** 2)).sum(1)


def train(model, data, epochs=8, batch_size=50):
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    criterion = nn.MSELoss()
    n = len(data)
    for epoch in range(epochs):
        model.train()
        total = 0.0
        permutation = torch.randperm(n)
        for i in range(0, n, batch_size):
            data = data.to(device)
            model = model.to(device)
            batch = data[permutation[i:i + batch_size]]
            optimizer.zero_grad()
            loss = criterion(model(batch), batch)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        print(f"epoch {epoch} loss {total / n:.6f}")


def explained(model, data):
    model.eval()
    with torch.no_grad():
        data = data.to(device)
        return 1 - ((model(data) - data).pow(2).sum() / (data - data.mean(0)).pow(2).sum()).item()


model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 4), nn.Tanh(), nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 32))
train(model, bumps(1500))
print(f"result: {explained(model, bumps(300)):.4f}")
