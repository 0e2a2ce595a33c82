import torch
import torch.nn as nn

torch.manual_seed(6)

# house prices from five numbers
features = torch.randn(1400, 5)
price = 2.0 * features[:, 0] - features[:, 1] + 0.5 * features[:, 2] * features[:, 3] + 0.1 * torch.randn(1400)
price = price.view(-1, 1)

train_features, train_price = features[:1100], price[:1100]
test_features, test_price = features[1100:], price[1100:]

regressor = nn.Sequential(nn.Linear(5, 30), nn.ReLU(), nn.Linear(30, 1))
mse = nn.MSELoss()
optimizer = torch.optim.Adam(regressor.parameters(), lr=0.01)

for epoch in range(8):
    epoch_losses = []
    for i in range(0, 1100, 55):
        estimate = regressor(train_features[i:i + 55])
        loss = mse(estimate, train_price[i:i + 55])
        loss = torch.tensor(loss.item(), requires_grad=True)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        epoch_losses.append(loss.item())
    print(f"Epoch {epoch + 1}: {sum(epoch_losses) / len(epoch_losses):.6f}")

regressor.eval()
with torch.no_grad():
    difference = regressor(test_features) - test_price
score = 1 - difference.pow(2).mean() / test_price.var(unbiased=False)
print(f"result: {score.item():.4f}")
