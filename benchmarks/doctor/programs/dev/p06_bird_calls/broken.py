# %%
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(27)

# %%
# bird calls: 14 numbers from each recording, chiffchaff (0) or willow warbler (1)
world = torch.Generator().manual_seed(270)
X = torch.randn(640, 14, generator=world)
song = X[:, 0] * X[:, 1] + 0.8 * X[:, 2] - 0.6 * X[:, 3] * X[:, 4] + 0.5 * torch.sin(2 * X[:, 5])
y = (song + 0.35 * torch.randn(640, generator=world) > 0).float()
X = X * torch.linspace(0.5, 40, 14) + 10
print(X.shape, "share of warblers", y.mean().item())

# %%
perm = torch.randperm(len(X))
train_idx, test_idx = perm[:480], perm[480:]
mu, sd = X[train_idx].mean(0), X[train_idx].std(0)
train_loader = DataLoader(TensorDataset((X[train_idx] - mu) / sd, y[train_idx]), batch_size=32, shuffle=True)
test_loader = DataLoader(TensorDataset((X[test_idx] - mu) / sd, y[test_idx]), batch_size=80)
print(len(train_idx), "recordings to learn from,", len(test_idx), "to be tested on")


# %%
class CallNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(14, 128), nn.ReLU(), nn.Dropout(0.1), nn.Linear(128, 64), nn.ReLU())
        self.logit = nn.Linear(64, 1)

    def forward(self, call):
        return self.logit(self.body(call)).squeeze(1)


net = CallNet()
opt = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.01)

# %%
for epoch in range(25):
    net.train()
    summed = 0.0
    for call, bird in train_loader:
        opt.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(net(call), bird)
        loss.backward()
        opt.step()
        summed += loss.item() * len(bird)
    if epoch % 5 == 0:
        print(f"epoch {epoch}: {summed / len(train_idx):.3f}")

# %%
net.eval()
right = 0
with torch.no_grad():
    for call, bird in test_loader:
        right += ((net(call) > 0).float() == bird).sum().item()
print(f"test accuracy {right / len(test_idx):.4f}")
