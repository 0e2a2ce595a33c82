import argparse

import torch
import torch.nn as nn
import torch.nn.functional as F


def make_graph(n_nodes, n_classes, n_words):
    y = torch.randint(0, n_classes, (n_nodes,))
    same = y[:, None] == y[None, :]
    p = torch.where(same, 0.022, 0.006)
    upper = torch.triu(torch.rand(n_nodes, n_nodes) < p, diagonal=1).float()
    a = upper + upper.T + torch.eye(n_nodes)
    d = a.sum(1).rsqrt()
    topics = torch.randn(n_classes, n_words) * 0.45
    x = topics[y] + torch.randn(n_nodes, n_words)
    return x, y, d[:, None] * a * d[None, :]


def split_nodes(n_nodes):
    order = torch.randperm(n_nodes)
    return order[:n_nodes // 4], order[n_nodes // 4:n_nodes // 2], order[n_nodes // 2:]


class GraphConv(nn.Module):
    def __init__(self, d_in, d_out):
        super().__init__()
        self.lin = nn.Linear(d_in, d_out)

    def forward(self, x, adj):
        return adj @ self.lin(x)


class GCN(nn.Module):
    def __init__(self, d_in, d_hidden, n_classes, p):
        super().__init__()
        self.conv1 = GraphConv(d_in, d_hidden)
        self.conv2 = GraphConv(d_hidden, n_classes)
        self.drop = nn.Dropout(p)

    def forward(self, x, adj):
        h = F.relu(self.conv1(self.drop(x), adj))
        return self.conv2(self.drop(h), adj)


@torch.inference_mode()
def accuracy(model, x, adj, y, nodes):
    logits = model(x, adj)
    return (logits[nodes].argmax(dim=-1) == y[nodes]).float().mean().item()


def train(model, optimizer, x, adj, y, train_nodes, val_nodes, epochs):
    for epoch in range(1, epochs + 1):
        model.train()
        optimizer.zero_grad()
        out = model(x, adj)
        loss = F.cross_entropy(out[train_nodes], y[train_nodes])
        loss.backward()
        optimizer.step()
        if epoch % 20 == 0:
            val = accuracy(model, x, adj, y, val_nodes)
            print(f"epoch {epoch:3d}  loss {loss.item():.4f}  val {val:.4f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nodes", type=int, default=900)
    parser.add_argument("--hidden", type=int, default=32)
    parser.add_argument("--dropout", type=float, default=0.15)
    parser.add_argument("--lr", type=float, default=0.005)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=2)
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    x, y, adj = make_graph(args.nodes, 4, 60)
    train_nodes, val_nodes, test_nodes = split_nodes(args.nodes)
    x = (x - x[train_nodes].mean(0)) / x[train_nodes].std(0)
    model = GCN(x.shape[1], args.hidden, 4, args.dropout)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr, weight_decay=5e-4)
    train(model, optimizer, x, adj, y, train_nodes, val_nodes, args.epochs)
    print(f"result: {accuracy(model, x, adj, y, test_nodes):.4f}")


if __name__ == "__main__":
    main()
