import copy
import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(900, 30)
y = (x[:, :5].sum(1) + 2.0 * torch.randn(900) > 0).long()


def epoch_of(net, opt):
    net.train()
    s = 0.0
    for rows in torch.randperm(500).split(50):
        loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
        s += loss.item() * len(rows)
    return s / 500


@torch.no_grad()
def look(net, part):
    net.eval()
    return nn.functional.cross_entropy(net(x[part]), y[part]).item()


net = nn.Sequential(nn.Linear(30, 128), nn.ReLU(), nn.Linear(128, 2))
opt = torch.optim.Adam(net.parameters(), 2e-3)
kept, lowest = None, 1e9
history = {"fit": [], "dev": []}
for epoch in range(20):
    mean = epoch_of(net, opt)
    dev_loss = look(net, slice(500, 700))
    history["fit"].append(mean)
    history["dev"].append(dev_loss)
    if dev_loss < lowest:
        lowest = dev_loss
        kept = copy.deepcopy(net.state_dict())
net.load_state_dict(kept)
net.eval()
with torch.no_grad():
    print(f"result: {(net(x[700:]).argmax(1) == y[700:]).float().mean():.4f}")
