import copy
import torch
from torch import nn
import torch.nn.functional as F


class GraphAttention(nn.Module):
    def __init__(self, inputs, outputs, heads, concat):
        super().__init__()
        self.heads, self.out, self.concat = heads, outputs, concat
        self.W = nn.Parameter(torch.empty(inputs, heads * outputs))
        self.a = nn.Parameter(torch.empty(heads, 2 * outputs, 1))
        nn.init.xavier_normal_(self.W)
        nn.init.xavier_normal_(self.a)

    def forward(self, h, adjacency):
        n = len(h)
        z = F.dropout(h @ self.W, 0.2, training=self.training).view(n, self.heads, self.out).permute(1, 0, 2)
        source = z @ self.a[:, :self.out]
        goal = z @ self.a[:, self.out:]
        e = F.leaky_relu(source + goal.mT, 0.2)
        e = e.masked_fill(adjacency == 0, float("-inf"))
        mixed = F.softmax(e, dim=-1) @ z
        return mixed.permute(1, 0, 2).reshape(n, -1) if self.concat else mixed.mean(0)


class GAT(nn.Module):
    def __init__(self, inputs, hidden, heads, classes):
        super().__init__()
        self.gat1 = GraphAttention(inputs, hidden, heads, True)
        self.gat2 = GraphAttention(hidden * heads, classes, 1, False)

    def forward(self, h, adjacency):
        return self.gat2(F.elu(self.gat1(h, adjacency)), adjacency)


def accuracy(model, x, adjacency, y, mask):
    model.eval()
    with torch.no_grad():
        out = model(x, adjacency)
    return F.cross_entropy(out[mask], y[mask]).item(), (out[mask].argmax(1) == y[mask]).float().mean().item()


torch.manual_seed(13)
n = 240
y = torch.randint(0, 3, (n,))
link = torch.rand(n, n) < torch.where(y[:, None] == y[None], 0.06, 0.008)
adjacency = (torch.triu(link, 1) | torch.triu(link, 1).t()).float() + torch.eye(n)
x = 0.8 * torch.randn(n, 12)
x[torch.arange(n), y] += 1.0
part = torch.randperm(n)
train_mask, valid_mask, test_mask = part[:90], part[90:140], part[140:]

model = GAT(12, 8, 4, 3)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
best, kept = float("inf"), None
for epoch in range(80):
    model.train()
    loss = F.cross_entropy(model(x, adjacency)[train_mask], y[train_mask])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if epoch % 10 == 9:
        valid_loss, valid_accuracy = accuracy(model, x, adjacency, y, valid_mask)
        print(f"Epoch {epoch + 1} train loss {loss.item():.6f} val loss {valid_loss:.6f} val accuracy {valid_accuracy:.4f}")
        if valid_loss < best:
            best, kept = valid_loss, copy.deepcopy(model.state_dict())
model.load_state_dict(kept)
print(f"result: {accuracy(model, x, adjacency, y, test_mask)[1]:.4f}")
