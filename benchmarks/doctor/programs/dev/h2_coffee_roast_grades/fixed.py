# %%
import copy

import torch
from torch import nn

torch.manual_seed(64)

# %%
# curves of the bean temperature during the roast, and the grade the tasters gave
def roasts(n):
    minutes = torch.linspace(0, 1, 30)
    speed = 2 + torch.rand(n, 1) * 3
    stop = 0.5 + 0.5 * torch.rand(n, 1)
    curve = speed * torch.minimum(minutes, stop) + 0.15 * torch.randn(n, 30)
    grade = (speed.squeeze(1) > 3.3).long() + (stop.squeeze(1) > 0.75).long()
    return curve - 1.5, grade


fit_x, fit_y = roasts(1500)
val_x, val_y = roasts(400)
test_x, test_y = roasts(600)

# %%
net = nn.Sequential(
    nn.Linear(30, 192), nn.ReLU(),
    nn.Linear(192, 192), nn.ReLU(),
    nn.Linear(192, 3),
)
optimizer = torch.optim.NAdam(net.parameters(), lr=5e-4)
criterion = nn.CrossEntropyLoss()


def accuracy(x, y):
    net.eval()
    with torch.no_grad():
        return (net(x).argmax(1) == y).float().mean().item()

# %%
best_acc = 0.0
best_state = None
for epoch in range(12):
    net.train()
    total = 0.0
    for rows in torch.randperm(1500).split(30):
        optimizer.zero_grad()
        loss = criterion(net(fit_x[rows]), fit_y[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    val_acc = accuracy(val_x, val_y)
    print(f"{epoch:2d}  loss {total / 1500:.6f}  val_acc {val_acc:.4f}")
    if val_acc > best_acc:
        best_acc = val_acc
        best_state = copy.deepcopy(net.state_dict())

# %%
net.load_state_dict(best_state)
print(f"result: {accuracy(test_x, test_y):.4f}")
