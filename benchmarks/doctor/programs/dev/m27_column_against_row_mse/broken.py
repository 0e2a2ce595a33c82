import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(27)

# y = f(x) on [-2, 2]
x = torch.rand(1000, 1) * 4 - 2
y = (torch.sin(2 * x) + 0.3 * x).flatten() + 0.05 * torch.randn(1000)

train_ds = TensorDataset(x[:800], y[:800])
test_x, test_y = x[800:], y[800:]
train_dl = DataLoader(train_ds, batch_size=32, shuffle=True)

model = nn.Sequential(
    nn.Linear(1, 50),
    nn.Tanh(),
    nn.Linear(50, 50),
    nn.Tanh(),
    nn.Linear(50, 1),
)
criterion = nn.MSELoss()
optimizer = optim.Adam(model.parameters(), lr=0.005)

for epoch in range(20):
    epoch_loss = 0.0
    for inputs, targets in train_dl:
        optimizer.zero_grad()
        outputs = model(inputs)
        loss = criterion(outputs, targets)
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() * inputs.size(0)
    print(f"Epoch [{epoch + 1}/20], Loss: {epoch_loss / len(train_ds):.6f}")

with torch.no_grad():
    residual = test_y - model(test_x).squeeze(1)
    r_squared = 1 - residual.pow(2).sum() / (test_y - test_y.mean()).pow(2).sum()
print("result: %.4f" % r_squared.item())
