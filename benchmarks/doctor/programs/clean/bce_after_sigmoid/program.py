import torch
import torch.nn as nn

torch.manual_seed(45)
features = torch.rand(1600, 5)
risk = 6 * (features[:, 0] * features[:, 1] + 0.6 * features[:, 2] - 0.5)
sick = (torch.rand(1600) < torch.sigmoid(2 * risk)).float().unsqueeze(1)
x_train, x_test = features[:1280] * 2 - 1, features[1280:] * 2 - 1
y_train, y_test = sick[:1280], sick[1280:]

model = nn.Sequential(
    nn.Linear(5, 20),
    nn.ReLU(),
    nn.Linear(20, 1),
    nn.Sigmoid(),
)
criterion = nn.BCELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

epochs, batch_size = 6, 32
for epoch in range(epochs):
    permutation = torch.randperm(x_train.size(0))
    losses = []
    for i in range(0, x_train.size(0), batch_size):
        indices = permutation[i:i + batch_size]
        optimizer.zero_grad()
        outputs = model(x_train[indices])
        loss = criterion(outputs, y_train[indices])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"Epoch {epoch + 1}/{epochs}, Loss: {sum(losses) / len(losses):.6f}")

with torch.no_grad():
    predicted = model(x_test).round()
    print(f"result: {predicted.eq(y_test).sum().item() / len(y_test):.4f}")
