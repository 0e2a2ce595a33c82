# %%
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(73)

# %%
strokes = torch.randn(8, 40)
digit = torch.randint(8, (1600,))
dataset = TensorDataset(0.6 * strokes[digit] + torch.randn(1600, 40), digit)

# %%
train_part, test_part = random_split(dataset, [1200, 400], generator=torch.Generator().manual_seed(5))
train_loader = DataLoader(train_part, batch_size=40, shuffle=True)
test_loader = DataLoader(test_part, batch_size=100)

# %%
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(40, 80)
        self.fc2 = nn.Linear(80, 8)
        self.dropout = nn.Dropout(0.2)

    def forward(self, x):
        return self.fc2(self.dropout(F.relu(self.fc1(x))))


net = Net()

# %%
def test(loader):
    net.eval()
    ok, n = 0, 0
    with torch.no_grad():
        for x, t in loader:
            ok += (net(x).argmax(1) == t).sum().item()
            n += len(t)
    return ok / n

# %%
optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
for epoch in range(5):
    net.train()
    losses = []
    for x, t in train_loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), t)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch} loss {sum(losses) / len(losses):.6f} test {test(test_loader):.4f}")

# %%
print(f"result: {test(test_loader):.4f}")
