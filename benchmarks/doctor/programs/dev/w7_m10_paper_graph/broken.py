from dataclasses import dataclass, field

import torch
from torch import nn


@dataclass
class Graph:
    features: torch.Tensor
    topic: torch.Tensor
    relations: dict = field(default_factory=dict)


def paper_graph(nodes=420, topics=6, width=32):
    topic = torch.randint(0, topics, (nodes,))
    graph = Graph(torch.randn(topics, width)[topic] + 3.5 * torch.randn(nodes, width), topic)
    for name, inside, outside, shift in (("cites", 0.05, 0.006, 1), ("author", 0.04, 0.004, 0), ("venue", 0.06, 0.02, 0)):
        close = ((topic.unsqueeze(0) + shift) % topics) == topic.unsqueeze(1)
        edges = (torch.rand(nodes, nodes) < torch.where(close, torch.tensor(inside), torch.tensor(outside))).float()
        graph.relations[name] = edges / edges.sum(1, keepdim=True).clamp(min=1)
    return graph


class RelationLayer(nn.Module):
    def __init__(self, names, wide_in, wide_out):
        super().__init__()
        self.own = nn.Linear(wide_in, wide_out)
        self.by_relation = {name: nn.Linear(wide_in, wide_out, bias=False) for name in names}

    def forward(self, h, relations):
        out = self.own(h)
        for name, layer in self.by_relation.items():
            out = out + relations[name] @ layer(h)
        return out


class RelationNet(nn.Module):
    def __init__(self, names, width, hidden, topics):
        super().__init__()
        self.one = RelationLayer(names, width, hidden)
        self.two = RelationLayer(names, hidden, topics)
        self.drop = nn.Dropout(0.3)

    def forward(self, graph):
        h = torch.relu(self.one(graph.features, graph.relations))
        return self.two(self.drop(h), graph.relations)


class NodeClassifier:
    def __init__(self, seed):
        torch.manual_seed(seed)
        self.graph = paper_graph()
        order = torch.randperm(len(self.graph.topic))
        self.train_nodes, self.test_nodes = order[:210], order[210:]
        known = self.graph.features[self.train_nodes]
        self.graph.features = (self.graph.features - known.mean(0)) / known.std(0)
        self.net = RelationNet(self.graph.relations.keys(), 32, 64, 6)
        self.opt = torch.optim.Adam(self.net.parameters(), lr=5e-3, weight_decay=1e-3)
        self.loss = nn.CrossEntropyLoss()

    def fit(self, steps=160):
        self.net.train()
        for step in range(steps):
            self.opt.zero_grad()
            scores = self.net(self.graph)
            loss = self.loss(scores[self.train_nodes], self.graph.topic[self.train_nodes])
            loss.backward()
            self.opt.step()
            if step % 20 == 0:
                print(f"step {step:3d}  loss {loss.item():.4f}")
        return self

    @torch.no_grad()
    def score(self):
        self.net.eval()
        guess = self.net(self.graph).argmax(dim=1)
        return (guess == self.graph.topic)[self.test_nodes].float().mean().item()


print(f"result: {NodeClassifier(seed=9).fit().score():.4f}")
