# %%
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset, random_split

_ = torch.manual_seed(123)

# %%
# three grapes, eleven measurements
centres = torch.randn(3, 11)
grape = torch.randint(0, 3, (2100,))
bottles = centres[grape] + 1.1 * torch.randn(2100, 11)
bottles[:, 0] += 0.5 * bottles[:, 1] * bottles[:, 2]

# %%
train_part, test_part = random_split(TensorDataset(bottles, grape), [1600, 500], generator=torch.Generator().manual_seed(9))
mu = bottles[train_part.indices].mean(0)
sd = bottles[train_part.indices].std(0)
train_dl = DataLoader(train_part, batch_size=32, shuffle=True)
test_dl = DataLoader(test_part, batch_size=125)

# %%
class Taster(nn.Module):
    def __init__(self, mu, sd):
        super().__init__()
        self.register_buffer("mu", mu)
        self.register_buffer("sd", sd)
        self.net = nn.Sequential(nn.Linear(11, 40), nn.ReLU(), nn.Linear(40, 3))

    def forward(self, x):
        return self.net((x - self.mu) / self.sd)


taster = Taster(mu, sd)
loss_fn = nn.CrossEntropyLoss()
sgd = torch.optim.SGD(taster.parameters(), lr=1e-6, momentum=0.9)

# %%
for epoch in range(5):
    taster.train()
    running = 0.0
    for x, t in train_dl:
        loss = loss_fn(taster(x), t)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        running += loss.item() * len(t)
    print(f"epoch {epoch + 1}/5 - loss: {running / len(train_part):.6f}")

# %%
taster.eval()
ok = 0
with torch.no_grad():
    for x, t in test_dl:
        ok += (taster(x).argmax(1) == t).sum().item()
print(f"result: {ok / len(test_part):.4f}")
