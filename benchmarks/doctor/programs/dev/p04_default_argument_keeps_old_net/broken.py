# %%
import torch
from torch import nn

torch.manual_seed(81)
angles = torch.rand(1600) * 6.2832
sector = (angles / 1.5708).long().clamp(max=3)
xy = torch.stack([angles.cos(), angles.sin()], 1) * (0.5 + torch.rand(1600, 1)) + 0.05 * torch.randn(1600, 2)

# %%
net = nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)

# %%
def accuracy(points, truth, net=net):
    net.eval()
    with torch.no_grad():
        return (net(points).argmax(1) == truth).float().mean().item()

# %%
loss_fn = nn.CrossEntropyLoss()
for epoch in range(4):
    net.train()
    losses = []
    for ids in torch.randperm(1200).split(40):
        optimizer.zero_grad()
        loss = loss_fn(net(xy[ids]), sector[ids])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch}: {sum(losses) / len(losses):.6f}")

# %%
print(f"result: {accuracy(xy[1200:], sector[1200:]):.4f}")
