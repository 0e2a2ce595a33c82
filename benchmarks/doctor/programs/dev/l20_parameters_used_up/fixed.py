"""Adding numbers written as text with a small recurrent net; gradients are clipped."""
import torch
from torch import nn

torch.manual_seed(17)
CHARS = "0123456789+"


def question(n):
    a, b = torch.randint(0, 5, (n,)), torch.randint(0, 5, (n,))
    text = [f"{i}+{j}" for i, j in zip(a.tolist(), b.tolist())]
    return torch.tensor([[CHARS.index(c) for c in row] for row in text]), a + b


class Adder(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.emb = nn.Embedding(len(CHARS), 12)
        self.cell = nn.RNNCell(12, width)
        self.out = nn.Linear(width, 9)

    def forward(self, ids):
        h = torch.zeros(len(ids), self.cell.hidden_size)
        for step in self.emb(ids).unbind(1):
            h = self.cell(step, h)
        return self.out(h)


def setup():
    net = Adder()
    weights = list(net.parameters())
    return net, weights, torch.optim.Adam(weights, lr=0.01)


def train(net, weights, optimizer, steps):
    losses = []
    for i in range(steps):
        ids, sums = question(32)
        loss = nn.functional.cross_entropy(net(ids), sums)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        losses.append(loss.item())
        if i % 50 == 49:
            print(f"{i + 1} {sum(losses[-50:]) / 50:.6f}")


net, weights, optimizer = setup()
train(net, weights, optimizer, 300)
ids, sums = question(400)
with torch.no_grad():
    print(f"result: {(net(ids).argmax(1) == sums).float().mean().item():.4f}")
