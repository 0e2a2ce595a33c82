import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(19)
NODES, GROUPS, DIM = 260, 5, 24

group = torch.randint(0, GROUPS, (NODES,))
same = group.unsqueeze(0) == group.unsqueeze(1)
upper = torch.triu(torch.ones(NODES, NODES, dtype=torch.bool), diagonal=1)
chance = torch.where(same, torch.tensor(0.3), torch.tensor(0.004))
links = (torch.rand(NODES, NODES) < chance) & upper
features = torch.randn(GROUPS, DIM)[group] + 1.5 * torch.randn(NODES, DIM)
features = (features - features.mean(0)) / features.std(0)

# one pair in eight is kept aside: it is neither seen by the layers nor by the loss
aside = (torch.rand(NODES, NODES) < 0.125) & upper
known = upper & ~aside
seen = (links & known).float()
adjacency = seen + seen.t() + torch.eye(NODES)
root = adjacency.sum(1).rsqrt()
spread = root.unsqueeze(1) * adjacency * root.unsqueeze(0)


class LinkEncoder(nn.Module):
    def __init__(self, hidden=48, code=16):
        super().__init__()
        self.first = nn.Linear(DIM, hidden)
        self.second = nn.Linear(hidden, code)
        self.bias = nn.Parameter(torch.zeros(()))

    def forward(self, x, spread):
        h = F.relu(spread @ self.first(x))
        z = spread @ self.second(h)
        return z @ z.t() + self.bias


net = LinkEncoder()
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
wanted = links[known].float()
weight = (wanted == 0).sum() / wanted.sum()

for step in range(1, 201):
    net.train()
    opt.zero_grad()
    score = net(features, spread)[known]
    loss = F.binary_cross_entropy_with_logits(score, wanted, pos_weight=weight)
    loss.backward()
    opt.step()
    if step % 40 == 0:
        print(f"step {step}: loss {loss.item():.4f}")

net.eval()
with torch.no_grad():
    score = net(features, spread)
friends, strangers = score[aside & links], score[aside & ~links]
order = friends.unsqueeze(1) - strangers.unsqueeze(0)
auc = ((order > 0).float() + 0.5 * (order == 0).float()).mean().item()
print(f"result: {auc:.4f}")
