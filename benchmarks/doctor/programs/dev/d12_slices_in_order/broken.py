# %%
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(9)

# %%
def clouds(per_class, centres):
    points = [torch.randn(per_class, 20) * 1.3 + centre for centre in centres]
    labels = [torch.full((per_class,), k) for k in range(len(centres))]
    return torch.cat(points), torch.cat(labels)

centres = torch.randn(6, 20)
x_train, y_train = clouds(300, centres)
x_test, y_test = clouds(70, centres)

# %%
class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.l1 = nn.Linear(20, 64)
        self.l2 = nn.Linear(64, 64)
        self.l3 = nn.Linear(64, 6)
        self.dropout = nn.Dropout(0.4)

    def forward(self, x):
        x = self.dropout(F.relu(self.l1(x)))
        x = self.dropout(F.relu(self.l2(x)))
        return self.l3(x)

mlp = MLP()
optimizer = torch.optim.SGD(mlp.parameters(), lr=0.05, momentum=0.9)
bs = 60

# %%
for epoch in range(5):
    mlp.train()
    losses = []
    for i in range(0, len(x_train), bs):
        xb = x_train[i:i + bs]
        yb = y_train[i:i + bs]
        optimizer.zero_grad()
        loss = F.cross_entropy(mlp(xb), yb)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch} loss {sum(losses) / len(losses):.6f}")

# %%
with torch.no_grad():
    predictions = mlp(x_test).argmax(dim=1)
accuracy = (predictions == y_test).float().mean().item()
print(f"result: {accuracy:.4f}")
