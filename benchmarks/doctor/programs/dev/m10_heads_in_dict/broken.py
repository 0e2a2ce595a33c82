# %%
import torch
from torch import nn

torch.manual_seed(15)

# %%
# one trunk, two questions about each animal: which class, and does it fly
n = 1500
traits = torch.randn(n, 12)
mix = torch.randn(12, 6)
hidden_cause = torch.tanh(traits @ mix / 3)
group = (hidden_cause @ torch.randn(6, 4)).argmax(1)
flies = ((hidden_cause @ torch.randn(6, 1)).squeeze(1) > 0).long()

# %%
class Animals(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(12, 64), nn.ReLU())
        self.heads = {"group": nn.Linear(64, 4), "flies": nn.Linear(64, 2)}

    def forward(self, x):
        z = self.trunk(x)
        return {name: head(z) for name, head in self.heads.items()}


model = Animals()
opt = torch.optim.Adam(model.parameters(), lr=3e-3)
ce = nn.CrossEntropyLoss()

# %%
def test_accuracy():
    model.eval()
    with torch.no_grad():
        answer = model(traits[1200:])
    a = (answer["group"].argmax(1) == group[1200:]).float().mean().item()
    b = (answer["flies"].argmax(1) == flies[1200:]).float().mean().item()
    model.train()
    return (a + b) / 2


# %%
for epoch in range(12):
    sum_loss = 0.0
    order = torch.randperm(1200)
    for i in range(0, 1200, 30):
        j = order[i:i + 30]
        answer = model(traits[j])
        loss = ce(answer["group"], group[j]) + ce(answer["flies"], flies[j])
        opt.zero_grad()
        loss.backward()
        opt.step()
        sum_loss += loss.item()
    print(f"epoch {epoch}: loss {sum_loss / 40:.6f}, test {test_accuracy():.3f}")

# %%
print(f"result: {test_accuracy():.4f}")
