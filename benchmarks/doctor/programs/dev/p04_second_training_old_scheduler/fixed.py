# %%
import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR

torch.manual_seed(3)
centers = torch.randn(4, 6) * 2
y_all = torch.randint(0, 4, (1200,))
x_all = centers[y_all] + torch.randn(1200, 6)
x_train, y_train, x_test, y_test = x_all[:900], y_all[:900], x_all[900:], y_all[900:]

EPOCHS = 5
# %%
def build():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 4))
net = build()
opt = torch.optim.AdamW(net.parameters(), lr=1e-2)
sched = CosineAnnealingLR(opt, EPOCHS)
# %%
def run_epochs():
    for epoch in range(EPOCHS):
        for rows in torch.randperm(900).split(45):
            opt.zero_grad()
            loss = nn.functional.cross_entropy(net(x_train[rows]), y_train[rows])
            loss.backward()
            opt.step()
        sched.step()
        print(epoch, loss.item(), sched.get_last_lr())
# %%
run_epochs()
# %%
net = build()
opt = torch.optim.AdamW(net.parameters(), lr=2e-2)
sched = CosineAnnealingLR(opt, EPOCHS)
# %%
run_epochs()
# %%
with torch.no_grad():
    print(f"result: {(net(x_test).argmax(1) == y_test).float().mean():.4f}")
