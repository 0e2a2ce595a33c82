# %%
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import ExponentialLR

# %%
torch.manual_seed(25)
X = torch.rand(1500, 3) * 4 - 2
Y = torch.stack([torch.sin(X[:, 0]) * X[:, 1], torch.cos(X[:, 1] + X[:, 2])], dim=1)
Y = Y + 0.05 * torch.randn_like(Y)
Xtrain, Ytrain, Xtest, Ytest = X[:1200], Y[:1200], X[1200:], Y[1200:]

# %%
net = nn.Sequential(nn.Linear(3, 50), nn.Tanh(), nn.Linear(50, 50), nn.Tanh(), nn.Linear(50, 2))
opt = SGD(net.parameters(), lr=0.1, momentum=0.9)

# %%
sched = ExponentialLR(opt, gamma=0.8)
epochs = 6

# %%
for epoch in range(epochs):
    net.train()
    total = 0.0
    for rows in torch.randperm(1200).split(30):
        opt.zero_grad()
        loss = F.mse_loss(net(Xtrain[rows]), Ytrain[rows])
        loss.backward()
        opt.step()
        total += loss.item() * len(rows)
    sched.step()
    print(f"epoch {epoch}  loss {total / 1200:.6f}")

# %%
net.eval()
with torch.no_grad():
    unexplained = (net(Xtest) - Ytest).pow(2).sum() / (Ytest - Ytest.mean(0)).pow(2).sum()
print(f"result: {1 - unexplained.item():.4f}")
