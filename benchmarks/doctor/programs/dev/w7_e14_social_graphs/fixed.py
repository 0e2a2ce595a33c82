import io

import torch
import torch.nn.functional as F
from torch import nn

NODES = 24


def random_graph(kind, gen):
    """0: no structure, 1: two camps, 2: a hub and its followers."""
    p = torch.full((NODES, NODES), 0.2)
    if kind == 1:
        camp = torch.rand(NODES, generator=gen) < 0.5
        p = torch.where(camp[:, None] == camp[None, :], 0.40, 0.03)
    elif kind == 2:
        hubs = torch.randperm(NODES, generator=gen)[:3]
        p = torch.full((NODES, NODES), 0.13)
        p[hubs] = 0.65
        p[:, hubs] = 0.65
    upper = torch.triu((torch.rand(NODES, NODES, generator=gen) < p).float(), 1)
    return upper + upper.T


def make_graphs(n, gen):
    y = torch.randint(0, 3, (n,), generator=gen)
    adj = torch.stack([random_graph(int(k), gen) for k in y])
    degree = adj.sum(2)
    triangles = torch.diagonal(adj @ adj @ adj, dim1=1, dim2=2) / 2
    return torch.stack([degree, triangles], 2), adj, y


class GraphNet(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.first = nn.Linear(4, width)
        self.second = nn.Linear(2 * width, width)
        self.norm = nn.BatchNorm1d(2 * width)
        self.head = nn.Linear(2 * width, 3)

    def spread(self, h, adj):
        return adj @ h / adj.sum(2, keepdim=True).clamp(min=1)

    def forward(self, h, adj):
        h = F.relu(self.first(torch.cat([h, self.spread(h, adj)], 2)))
        h = F.relu(self.second(torch.cat([h, self.spread(h, adj)], 2)))
        pooled = self.norm(torch.cat([h.mean(1), h.amax(1)], 1))
        return self.head(F.dropout(pooled, 0.2, self.training))


@torch.no_grad()
def accuracy(model, data, size=100):
    h, adj, y = data
    hits = 0
    for s in range(0, len(y), size):
        hits += (model(h[s:s + size], adj[s:s + size]).argmax(1) == y[s:s + size]).sum().item()
    return hits / len(y)


def train(model, data, val, epochs=10, size=50):
    h, adj, y = data
    opt = torch.optim.Adam(model.parameters(), lr=2e-3)
    best, store = -1.0, None
    for epoch in range(epochs):
        model.train()
        for idx in torch.randperm(len(y)).split(size):
            opt.zero_grad()
            F.cross_entropy(model(h[idx], adj[idx]), y[idx]).backward()
            opt.step()
        model.eval()
        score = accuracy(model, val)
        print(f"epoch {epoch}: validation {score:.3f}")
        if score > best:
            best, store = score, io.BytesIO()
            torch.save({"epoch": epoch, "weights": model.state_dict()}, store)
    return store


def restore(store):
    store.seek(0)
    saved = torch.load(store, weights_only=True)
    print("restored epoch", saved["epoch"])
    model = GraphNet()
    model.load_state_dict(saved["weights"])
    return model


def main():
    torch.manual_seed(1)
    gen = torch.Generator().manual_seed(4)
    train_set, val_set, test_set = make_graphs(1000, gen), make_graphs(300, gen), make_graphs(600, gen)
    mean, std = train_set[0].mean((0, 1)), train_set[0].std((0, 1))
    train_set, val_set, test_set = [((h - mean) / std, a, y) for h, a, y in (train_set, val_set, test_set)]
    model = GraphNet()
    store = train(model, train_set, val_set)
    final = restore(store)
    final.eval()
    print(f"result: {accuracy(final, test_set):.4f}")


if __name__ == "__main__":
    main()
