import itertools
import torch
from torch import nn

torch.manual_seed(88)
table = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=11)))
table = table[torch.randperm(len(table))]
odd = (table[:, [1, 4, 8]].prod(dim=1) > 0).float()
train_x, train_y, test_x, test_y = table[:1600], odd[:1600], table[1600:], odd[1600:]

net = nn.Sequential(nn.Linear(11, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))
opt = torch.optim.Adam(net.parameters(), lr=0.005)
loss_fn = nn.BCEWithLogitsLoss()
for epoch in range(10):
    total = 0.0
    for rows in torch.randperm(1600).split(32):
        loss = loss_fn(net(train_x[rows]).squeeze(1), train_y[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() / 50
    print(f"epoch {epoch} loss {total:.6f}")
with torch.no_grad():
    print(f"result: {((net(test_x).squeeze(1) > 0).float() == test_y).float().mean().item():.4f}")
