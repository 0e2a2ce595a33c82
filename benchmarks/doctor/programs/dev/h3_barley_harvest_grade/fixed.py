# %%
import numpy as np
import torch
from torch import nn

np.random.seed(4)
torch.manual_seed(4)

# %%
# measurements of barley: moisture, protein, screenings, weight, ... and the grade that the mill gave
n, features, grades = 2600, 24, 6
kernels = np.random.randn(grades, features) * 0.75
grade = np.random.randint(0, grades, n)
table = kernels[grade] + np.random.randn(n, features)
table[:, ::3] = np.tanh(table[:, ::3]) * 40 + 100
table[:, 1::3] = np.exp(table[:, 1::3] / 2)

# %%
cut = 2080
mu, sd = table[:cut].mean(0), table[:cut].std(0)
X = torch.tensor((table - mu) / sd, dtype=torch.float32)
Y = torch.tensor(grade)
X_train, Y_train, X_test, Y_test = X[:cut], Y[:cut], X[cut:], Y[cut:]
X_train.shape, X_test.shape

# %%
class GradeNet(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in zip(sizes[:-1], sizes[1:]))
        self.grade = nn.Linear(sizes[-1], grades)

    def forward(self, x):
        for layer in self.hidden:
            x = torch.relu(layer(x))
        return self.grade(x)


net = GradeNet([features, 512, 512, 256])
loss_fn = nn.CrossEntropyLoss()
optim = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)

# %%
history = []
for epoch in range(12):
    net.train()
    epoch_loss = 0.0
    order = torch.randperm(cut)
    for start in range(0, cut, 40):
        pick = order[start:start + 40]
        rows, target = X_train[pick], Y_train[pick]
        optim.zero_grad()
        loss = loss_fn(net(rows), target)
        loss.backward()
        optim.step()
        epoch_loss += loss.item() * len(pick)
    history.append(epoch_loss / cut)
    print(f"{epoch + 1:2d} {history[-1]:.6f}")

# %%
net.eval()
with torch.no_grad():
    predicted = net(X_test).argmax(dim=1)
accuracy = (predicted == Y_test).float().mean().item()
print(f"result: {accuracy:.4f}")
