import networkx as nx
import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, SubsetRandomSampler, TensorDataset

torch.manual_seed(0)
np.random.seed(0)

# three families of small molecules-like graphs on 14 nodes
N = 14


def draw(kind, seed):
    if kind == 0:
        graph = nx.barabasi_albert_graph(N, 2, seed=seed)
    elif kind == 1:
        graph = nx.gnm_random_graph(N, 24, seed=seed)
    else:
        graph = nx.watts_strogatz_graph(N, 4, 0.25, seed=seed)
        drop = list(graph.edges)[:: 7]
        graph.remove_edges_from(drop)
    return nx.to_numpy_array(graph, dtype=np.float32)


labels = np.random.randint(0, 3, size=1500)
adjacency = torch.from_numpy(np.stack([draw(k, 100 + i) for i, k in enumerate(labels)]))
degree = adjacency.sum(-1).long().clamp(max=9)
features = torch.nn.functional.one_hot(degree, 10).float()
looped = adjacency + torch.eye(N)
scale = looped.sum(-1).rsqrt()
propagation = scale.unsqueeze(-1) * looped * scale.unsqueeze(-2)

dataset = TensorDataset(features, propagation, torch.from_numpy(labels))
order = np.random.permutation(len(dataset))
train_idx, test_idx = order[:1200], order[1200:]
train_loader = DataLoader(dataset, batch_size=40, sampler=SubsetRandomSampler(train_idx))
test_loader = DataLoader(dataset, batch_size=100, sampler=SubsetRandomSampler(test_idx))


class GraphNet(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.first = nn.Linear(10, width)
        self.second = nn.Linear(width, width)
        self.third = nn.Linear(width, width)
        self.readout = nn.Linear(2 * width, 3)

    def forward(self, x, p):
        h = torch.relu(p @ self.first(x))
        h = torch.relu(p @ self.second(h))
        h = torch.relu(p @ self.third(h))
        return self.readout(torch.cat([h.mean(1), h.amax(1)], dim=1))


model = GraphNet()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

for epoch in range(12):
    model.train()
    train_loss = 0.0
    for x, p, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(x, p), y)
        loss.backward()
        optimizer.step()
        train_loss += loss.item() * y.size(0)
    print(f"Epoch {epoch + 1}\ttraining loss {train_loss / len(train_idx):.4f}")

model.eval()
correct = 0
with torch.no_grad():
    for x, p, y in test_loader:
        correct += (model(x, p).argmax(dim=1) == y).sum().item()

accuracy = correct / len(test_idx)
print(f"result: {accuracy:.4f}")
