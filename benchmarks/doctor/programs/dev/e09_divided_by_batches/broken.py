import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(44)

# rising, falling or flat? noisy paths of 30 steps
n = 1900
trend = torch.randint(0, 3, (n,))
steps = (trend.float() - 1).unsqueeze(1) * 0.12 + 0.3 * torch.randn(n, 30)
paths = steps.cumsum(1)

train_ds = TensorDataset(paths[:1500], trend[:1500])
test_ds = TensorDataset(paths[1500:], trend[1500:])
train_loader = DataLoader(train_ds, batch_size=50, shuffle=True)
test_loader = DataLoader(test_ds, batch_size=50, shuffle=False)

model = nn.Sequential(
    nn.Unflatten(1, (1, 30)),
    nn.Conv1d(1, 8, kernel_size=5, stride=2),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(8 * 13, 24),
    nn.ReLU(),
    nn.Linear(24, 3),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)

num_epochs = 6
for epoch in range(num_epochs):
    model.train()
    train_loss = 0.0
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        train_loss += loss.item()

    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in test_loader:
            correct += (model(x).argmax(1) == y).sum().item()
    accuracy = correct / len(test_loader)
    print(f"epoch {epoch + 1}/{num_epochs} loss {train_loss / len(train_loader):.6f}")

print(f"result: {accuracy:.4f}")
