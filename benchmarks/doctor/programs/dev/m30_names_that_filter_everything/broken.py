"""Train on many patterns, go on with few of them, in the manner of a research script."""
import io
import torch
from torch import nn

torch.manual_seed(44)
SHAPES = torch.randn(12, 36)


def samples(n, kinds):
    kind = torch.randint(0, kinds, (n,))
    return SHAPES[kind] + 1.2 * torch.randn(n, 36), kind


class Features(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Linear(36, 64)
        self.two = nn.Linear(64, 32)

    def forward(self, x):
        return torch.relu(self.two(torch.relu(self.one(x))))


class Big(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = Features()
        self.out = nn.Linear(32, 12)

    def forward(self, x):
        return self.out(self.net(x))


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = Features()
        self.decide = nn.Linear(32, 4)

    def forward(self, x):
        return self.decide(self.features(x))


def train(model, x, y, epochs, batch, name):
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(epochs):
        losses = []
        for rows in torch.randperm(len(x)).split(batch):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        print(f"{name} {epoch}: {sum(losses) / len(losses):.6f}")


def take_over(model, file):
    saved = torch.load(file)
    own = model.state_dict()
    own.update({key: value for key, value in saved.items() if key in own})
    model.load_state_dict(own)


big = Big()
train(big, *samples(2400, 12), epochs=4, batch=60, name="big")
file = io.BytesIO()
torch.save(big.state_dict(), file)
file.seek(0)
small = Small()
take_over(small, file)
train(small, *samples(120, 4), epochs=8, batch=12, name="small")
x_test, y_test = samples(600, 4)
small.eval()
with torch.no_grad():
    print(f"result: {(small(x_test).argmax(1) == y_test).float().mean().item():.4f}")
