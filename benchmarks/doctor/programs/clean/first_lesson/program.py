# %%
import torch

torch.manual_seed(0)

# %%
height = 150 + 40 * torch.rand(600)
age = 18 + 50 * torch.rand(600)
weight = 0.9 * (height - 100) + 0.15 * (age - 40) + 3 * torch.randn(600)
data = torch.stack([height, age], dim=1)

# %%
train_data, test_data = data[:480], data[480:]
train_weight, test_weight = weight[:480], weight[480:]
mean, std = train_data.mean(dim=0), train_data.std(dim=0)
train_data = (train_data - mean) / std
test_data = (test_data - mean) / std
weight_mean, weight_std = train_weight.mean(), train_weight.std()

# %%
model = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)

# %%
for epoch in range(4):
    order = torch.randperm(480)
    losses = []
    for start in range(0, 480, 24):
        rows = order[start:start + 24]
        guess = model(train_data[rows]).squeeze(1)
        wanted = (train_weight[rows] - weight_mean) / weight_std
        loss = torch.mean((guess - wanted) ** 2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(epoch, f"{sum(losses) / len(losses):.6f}")

# %%
with torch.no_grad():
    guess = model(test_data).squeeze(1) * weight_std + weight_mean
r2 = 1 - ((guess - test_weight) ** 2).mean() / test_weight.var()
print(f"result: {r2.item():.4f}")
