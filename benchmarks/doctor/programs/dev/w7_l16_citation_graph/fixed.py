from dataclasses import dataclass

import torch
from torch import nn
import torch.nn.functional as F


@dataclass
class Config:
    papers: int = 900
    topics: int = 5
    words: int = 120
    hidden: int = 48
    lr: float = 5e-3
    betas: tuple = (0.9, 0.999)
    weight_decay: float = 1e-3
    steps: int = 250
    seed: int = 16


class CitationGraph:
    def __init__(self, cfg):
        g = torch.Generator().manual_seed(cfg.seed)
        self.topic = torch.randint(cfg.topics, (cfg.papers,), generator=g)
        usage = 0.05 + 0.15 * torch.rand(cfg.topics, cfg.words, generator=g)
        self.words = (torch.rand(cfg.papers, cfg.words, generator=g) < usage[self.topic]).float()
        same = self.topic[:, None] == self.topic[None, :]
        chance = torch.where(same, 0.015, 0.002)
        upper = torch.triu(torch.rand(cfg.papers, cfg.papers, generator=g) < chance, diagonal=1)
        adj = (upper | upper.T).float() + torch.eye(cfg.papers)
        norm = adj.sum(1).rsqrt()
        self.adj = (norm[:, None] * adj * norm[None, :]).to_sparse()
        order = torch.randperm(cfg.papers, generator=g)
        self.train, self.valid, self.test = order[:450], order[450:650], order[650:]


class GCN(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        self.first = nn.Linear(cfg.words, cfg.hidden)
        self.second = nn.Linear(cfg.hidden, cfg.topics)
        self.drop = nn.Dropout(0.5)

    def forward(self, words, adj):
        h = F.relu(torch.sparse.mm(adj, self.first(words)))
        return torch.sparse.mm(adj, self.second(self.drop(h)))


class Experiment:
    def __init__(self, cfg):
        self.cfg, self.graph = cfg, CitationGraph(cfg)
        mean = self.graph.words[self.graph.train].mean(0)
        std = self.graph.words[self.graph.train].std(0).clamp_min(1e-3)
        self.features = (self.graph.words - mean) / std
        self.model = GCN(cfg)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=cfg.lr, betas=cfg.betas,
                                          weight_decay=cfg.weight_decay)

    def step(self):
        self.model.train()
        self.optimizer.zero_grad()
        out = self.model(self.features, self.graph.adj)
        loss = F.cross_entropy(out[self.graph.train], self.graph.topic[self.graph.train])
        loss.backward()
        self.optimizer.step()
        return loss.item()

    @torch.no_grad()
    def accuracy(self, nodes):
        self.model.eval()
        guess = self.model(self.features, self.graph.adj)[nodes].argmax(1)
        return (guess == self.graph.topic[nodes]).float().mean().item()

    def run(self):
        for step in range(1, self.cfg.steps + 1):
            loss = self.step()
            if step % 50 == 0:
                print(f"step {step}: loss {loss:.4f} valid {self.accuracy(self.graph.valid):.4f}")
        return self.accuracy(self.graph.test)


if __name__ == "__main__":
    cfg = Config()
    torch.manual_seed(cfg.seed)
    print(f"result: {Experiment(cfg).run():.4f}")
