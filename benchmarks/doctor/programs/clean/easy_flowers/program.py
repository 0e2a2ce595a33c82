# %%
import torch
from torch import nn

torch.manual_seed(107)
species = torch.randint(0, 3, (600,))
middle = torch.tensor([[5.0, 3.4, 1.5, 0.25], [5.9, 2.8, 4.3, 1.33], [6.6, 3.0, 5.6, 2.03]])
spread = torch.tensor([[0.35, 0.38, 0.17, 0.1], [0.52, 0.31, 0.47, 0.2], [0.64, 0.32, 0.55, 0.27]])
flowers = middle[species] + spread[species] * torch.randn(600, 4)

# %%
order = torch.randperm(600)
train_rows, test_rows = order[:480], order[480:]
mean = flowers[train_rows].mean(dim=0)
std = flowers[train_rows].std(dim=0)
x = (flowers - mean) / std

# %%
net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
opt = torch.optim.Adam(net.parameters(), lr=0.01)
history = []
for epoch in range(8):
    losses = []
    for rows in train_rows[torch.randperm(480)].split(24):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(x[rows]), species[rows])
        loss.backward()
        opt.step()
        losses.append(loss.item())
    history.append(sum(losses) / len(losses))
    print(f"epoch {epoch + 1}: {history[-1]:.6f}")

# %%
with torch.no_grad():
    guess = net(x[test_rows]).argmax(dim=1)
matrix = torch.zeros(3, 3, dtype=torch.long)
for t, g in zip(species[test_rows], guess):
    matrix[t, g] += 1
print(matrix)
print(f"result: {matrix.diagonal().sum().item() / len(test_rows):.4f}")
