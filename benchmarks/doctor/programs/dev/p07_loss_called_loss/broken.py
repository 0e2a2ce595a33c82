import torch
import torch.nn as nn

torch.manual_seed(39)

signs = torch.randn(6, 30)
y = torch.randint(0, 6, (1500,))
x = signs[y] + torch.randn(1500, 30)

net = nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Linear(32, 6))
loss = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

for epoch in range(4):
    epoch_loss = 0.0
    for i in range(0, 1200, 40):
        optimizer.zero_grad()
        out = net(x[i:i + 40])
        loss = loss(out, y[i:i + 40])
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item()
    print(f"epoch {epoch} loss {epoch_loss / 30:.6f}")

with torch.no_grad():
    acc = (net(x[1200:]).argmax(1) == y[1200:]).float().mean().item()
print(f"result: {acc:.4f}")
