import torch
from torch import nn
import torch.nn.functional as F


class GraphConv(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.kernel = nn.Parameter(torch.empty(inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.xavier_normal_(self.kernel)

    def forward(self, h, adjacency):
        return torch.sparse.mm(adjacency, h @ self.kernel) + self.bias


class GCN(nn.Module):
    def __init__(self, inputs, hidden, classes):
        super().__init__()
        self.gc1 = GraphConv(inputs, hidden)
        self.gc2 = GraphConv(hidden, classes)
        self.dropout = nn.Dropout(0.3)

    def forward(self, h, adjacency):
        h = self.dropout(F.relu(self.gc1(h, adjacency)))
        return F.log_softmax(self.gc2(h, adjacency), dim=1)


def community_graph(n, classes, inside, outside):
    y = torch.randint(0, classes, (n,))
    chance = torch.where(y[:, None] == y[None], inside, outside)
    upper = torch.triu(torch.rand(n, n) < chance, diagonal=1)
    a = (upper | upper.t()).float() + torch.eye(n)
    d = a.sum(1).rsqrt()
    return y, (d[:, None] * a * d[None]).to_sparse()


def train_iter(epoch, model, optimizer, features, adjacency, target, mask):
    model.train()
    optimizer.zero_grad()
    loss = F.nll_loss(model(features, adjacency)[mask], target[mask])
    loss.backward()
    optimizer.step()
    if epoch % 20 == 0:
        print(f"Epoch: {epoch:04d} loss_train: {loss.item():.6f}")


def test(model, features, adjacency, target, mask):
    model.eval()
    with torch.no_grad():
        output = model(features, adjacency)[mask]
    return (output.argmax(1) == target[mask]).float().mean().item()


torch.manual_seed(42)
labels, adjacency = community_graph(600, 4, 0.03, 0.004)
features = torch.randn(600, 16)
features[torch.arange(600), labels] += 1.2
order = torch.randperm(600)
idx_train, idx_test = order[:200], order[200:]
model = GCN(16, 24, 4)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
for epoch in range(1, 101):
    train_iter(epoch, model, optimizer, features, adjacency, labels, idx_train)
print(f"result: {test(model, features, adjacency, labels, idx_test):.4f}")
