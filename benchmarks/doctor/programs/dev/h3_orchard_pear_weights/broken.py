import torch
from torch import nn

torch.manual_seed(17)

# length, girths, colour readings and so on of 3200 pears
pears = torch.randn(3200, 14)
mixing = torch.randn(14, 4) / 14**0.5
shape = pears @ mixing
weights = torch.tanh(2 * shape[:, 0]) + shape[:, 1] * shape[:, 2] + 0.6 * torch.cos(3 * shape[:, 3])
weights = (weights + 0.12 * torch.randn(3200)).unsqueeze(1)

x_train, y_train = pears[:2600], weights[:2600]
x_test, y_test = pears[2600:], weights[2600:]

x_mean, x_std = x_train.mean(0), x_train.std(0)
y_mean, y_std = y_train.mean(), y_train.std()
x_train, x_test = (x_train - x_mean) / x_std, (x_test - x_mean) / x_std
y_train, y_test = (y_train - y_mean) / y_std, (y_test - y_mean) / y_std

model = nn.Sequential(
    nn.Linear(14, 256), nn.ReLU(),
    nn.Linear(256, 256), nn.ReLU(),
    nn.Linear(256, 1),
)
criterion = nn.SmoothL1Loss()
optimizer = torch.optim.RMSprop(model.parameters(), lr=5e-4)

batches = zip(x_train.split(40), y_train.split(40))

model.train()
for epoch in range(18):
    loss_sum, rows = 0.0, 0
    for inputs, targets in batches:
        optimizer.zero_grad()
        outputs = model(inputs)
        loss = criterion(outputs, targets)
        loss.backward()
        optimizer.step()
        loss_sum += loss.item() * len(inputs)
        rows += len(inputs)
    print(f"Epoch [{epoch + 1}/18]  Loss: {loss_sum / max(rows, 1):.6f}")

model.eval()
with torch.no_grad():
    left = ((model(x_test) - y_test) ** 2).mean()
    r2 = 1 - left / ((y_test - y_test.mean()) ** 2).mean()
print(f"result: {r2.item():.4f}")
