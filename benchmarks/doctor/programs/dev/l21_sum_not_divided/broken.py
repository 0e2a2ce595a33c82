import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(52)

# four sensors of a pump; is it about to fail?
sensors = torch.randn(2400, 4)
risk = sensors[:, 0].abs() + sensors[:, 1] * sensors[:, 2] - 0.8 + 0.2 * torch.randn(2400)
failing = (risk > 0).float()
loader = DataLoader(TensorDataset(sensors[:1920], failing[:1920]), batch_size=10, shuffle=True)

net = nn.Sequential(nn.Linear(4, 30), nn.ReLU(), nn.Linear(30, 30), nn.ReLU(), nn.Linear(30, 1))
objective = nn.BCEWithLogitsLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.8)
every = 4

for epoch in range(5):
    net.train()
    seen = 0.0
    optimizer.zero_grad()
    for number, (x, y) in enumerate(loader, 1):
        loss = objective(net(x).squeeze(1), y)
        seen += loss.item()
        loss.backward()
        if number % every == 0:
            optimizer.step()
            optimizer.zero_grad()
    print(f"epoch {epoch} loss {seen / len(loader):.6f}")

net.eval()
with torch.no_grad():
    alarm = net(sensors[1920:]).squeeze(1) > 0
print(f"result: {(alarm == failing[1920:].bool()).float().mean().item():.4f}")
