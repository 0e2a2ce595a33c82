# %% [markdown]
# Six kinds of trees, told apart by measuring the ribs of their leaves

# %%
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(1918)
trees = ["oak", "elm", "lime", "beech", "ash", "maple"]
typical = 1.3 * torch.randn(6, 9)
lean = 0.5 * torch.randn(6, 9, 9)


def gather_leaves(n):
    kind = torch.randint(0, 6, (n, 1))
    base = torch.randn(n, 9, 1)
    ribs = typical[kind[:, 0]] + (lean[kind[:, 0]] @ base).squeeze(2) + 0.5 * torch.randn(n, 9)
    return ribs, kind


# %%
ribs, kinds = gather_leaves(1800)
new_ribs, new_kinds = gather_leaves(600)
centre, width = ribs.mean(0), ribs.std(0)
train_batches = DataLoader(TensorDataset((ribs - centre) / width, kinds), batch_size=45, shuffle=True)
test_batches = DataLoader(TensorDataset((new_ribs - centre) / width, new_kinds), batch_size=100)


# %%
class LeafNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(9, 48)
        self.b = nn.Linear(48, len(trees))
        self.drop = nn.Dropout(0.1)

    def forward(self, x):
        return torch.log_softmax(self.b(self.drop(torch.relu(self.a(x)))), dim=1)


net = LeafNet()
optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)

# %%
for epoch in range(14):
    net.train()
    summed = 0.0
    for x, y in train_batches:
        logp = net(x)
        loss = -logp.gather(1, y).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        summed += loss.item() * len(y)
    if epoch % 3 == 1:
        print(f"epoch {epoch}: nll {summed / len(ribs):.3f}")

# %%
net.eval()
share = 0.0
with torch.no_grad():
    for x, y in test_batches:
        logp = net(x)
        hits = (logp.argmax(1, keepdim=True) == y).float().mean().item()
        share += hits * len(y)
print(f"share of new leaves named rightly: {share / len(new_kinds):.4f}")
