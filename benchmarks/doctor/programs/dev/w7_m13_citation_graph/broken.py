import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


def make_graph(n, fields, rng):
    """Papers of several fields that mostly cite their own field; noisy word features."""
    field = rng.integers(fields, size=n)
    topics = rng.normal(size=(fields, 32))
    words = 0.38 * topics[field] + rng.normal(size=(n, 32))
    src, dst = [], []
    for paper in range(n):
        own = np.flatnonzero(field == field[paper])
        cited = np.concatenate([rng.choice(own, 3), rng.integers(n, size=2)])
        src += [paper] * len(cited) + cited.tolist()
        dst += cited.tolist() + [paper] * len(cited)
    loops = list(range(n))
    edges = torch.tensor([src + loops, dst + loops])
    return words.astype(np.float32), torch.from_numpy(field), edges


def neighbour_mean(h, edges):
    n, (src, dst) = len(h), edges
    degree = torch.bincount(dst, minlength=n).unsqueeze(1)
    pooled = np.zeros((n, h.shape[1]), dtype=np.float32)
    np.add.at(pooled, dst.numpy(), h.detach().numpy()[src.numpy()])
    return torch.from_numpy(pooled) / degree


class GraphNet(nn.Module):
    def __init__(self, features, hidden, classes):
        super().__init__()
        self.first = nn.Linear(features, hidden)
        self.second = nn.Linear(hidden, classes)
        self.drop = nn.Dropout(0.3)

    def forward(self, x, edges):
        h = self.drop(torch.relu(self.first(neighbour_mean(x, edges))))
        return self.second(neighbour_mean(h, edges))


def split(n, rng):
    order = rng.permutation(n)
    masks = torch.zeros(2, n, dtype=torch.bool)
    masks[0, order[:n // 2]] = True
    masks[1, order[n // 2:]] = True
    return masks


def train(model, optimizer, x, y, edges, mask, steps):
    for step in range(1, steps + 1):
        model.train()
        loss = F.cross_entropy(model(x, edges)[mask], y[mask])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            print(f"step {step}: loss {loss.item():.4f}")


@torch.no_grad()
def accuracy(model, x, y, edges, mask):
    model.eval()
    return (model(x, edges).argmax(1) == y)[mask].float().mean().item()


def main():
    torch.manual_seed(14)
    rng = np.random.default_rng(14)
    words, y, edges = make_graph(1000, 5, rng)
    train_mask, test_mask = split(len(y), rng)
    known = words[train_mask.numpy()]
    x = torch.from_numpy((words - known.mean(0)) / known.std(0))
    model = GraphNet(x.shape[1], 64, 5)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=5e-4)
    train(model, optimizer, x, y, edges, train_mask, steps=200)
    print(f"result: {accuracy(model, x, y, edges, test_mask):.4f}")


if __name__ == "__main__":
    main()
