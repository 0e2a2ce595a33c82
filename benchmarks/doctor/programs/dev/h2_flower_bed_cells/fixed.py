# %%
import torch
import torch.nn as nn

torch.manual_seed(88)

# %%
# four measures of a flower, twelve beds, and a colour for each bed
beds, colours = 12, 4
middle = torch.randn(beds, 4) * 1.3
bed = torch.randint(0, beds, (1000,))
x = middle[bed] + 0.35 * torch.randn(1000, 4)
y = bed % colours

# %%
order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
train_rows, test_rows = order[:750], order[750:]
print("first rows of the test:", test_rows[:5].tolist())

# %%
model = nn.Sequential(
    nn.Linear(4, 256), nn.ReLU(),
    nn.Linear(256, 256), nn.ReLU(),
    nn.Linear(256, colours),
)
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()

# %%
for epoch in range(8):
    loss_sum = 0.0
    for i in range(0, 750, 30):
        if i == 0:
            mixed = train_rows[torch.randperm(750)]
        rows = mixed[i:i + 30]
        optimizer.zero_grad()
        loss = criterion(model(x[rows]), y[rows])
        loss.backward()
        optimizer.step()
        loss_sum += loss.item()
    print(f"{epoch}: {loss_sum / 25:.6f}")

# %%
model.eval()
with torch.no_grad():
    share = (model(x[test_rows]).argmax(1) == y[test_rows]).float().mean().item()
print(f"result: {share:.4f}")
