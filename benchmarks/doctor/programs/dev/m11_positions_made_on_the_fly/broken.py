import torch
from torch import nn


class TinyTransformer(nn.Module):
    """Read a log of events and name the machine state behind it."""

    def __init__(self, events, states, length, dim=32):
        super().__init__()
        self.length, self.dim = length, dim
        self.token = nn.Embedding(events, dim)
        self.block = nn.TransformerEncoderLayer(dim, nhead=4, dim_feedforward=64, dropout=0.0, batch_first=True)
        self.classify = nn.Linear(dim, states)

    def forward(self, ids):
        where = nn.Embedding(self.length, self.dim)(torch.arange(self.length))
        h = self.block(self.token(ids) + where)
        return self.classify(h.mean(dim=1))


class LogData:
    def __init__(self, events=30, states=5, length=16):
        self.events, self.states, self.length = events, states, length
        self.rates = torch.softmax(0.9 * torch.randn(states, events), dim=1)

    def draw(self, n):
        state = torch.randint(0, self.states, (n,))
        return torch.multinomial(self.rates[state], self.length, replacement=True), state


class Experiment:
    def __init__(self, seed):
        torch.manual_seed(seed)
        self.data = LogData()
        self.model = TinyTransformer(self.data.events, self.data.states, self.data.length)
        self.opt = torch.optim.AdamW(self.model.parameters(), lr=2e-3)

    def run(self, epochs=5):
        ids, state = self.data.draw(1600)
        for epoch in range(epochs):
            self.model.train()
            total = 0.0
            for rows in torch.randperm(len(ids)).split(64):
                loss = nn.functional.cross_entropy(self.model(ids[rows]), state[rows])
                self.opt.zero_grad()
                loss.backward()
                self.opt.step()
                total += loss.item() * len(rows)
            print(f"epoch {epoch} loss {total / len(ids):.4f}")
        return self

    def test(self):
        ids, state = self.data.draw(600)
        self.model.eval()
        with torch.no_grad():
            return (self.model(ids).argmax(1) == state).float().mean().item()


print(f"result: {Experiment(seed=19).run().test():.4f}")
