import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

COLOURS, THINGS = 6, 8


def pairs(n):
    """A premise 'colour thing ...' and a hypothesis: same = 0, another colour = 1, another thing = 2."""
    filler = lambda: COLOURS + THINGS + torch.randint(0, 10, (n, 3))
    colour, thing = torch.randint(0, COLOURS, (n,)), torch.randint(0, THINGS, (n,))
    label = torch.randint(0, 3, (n,))
    other_colour = torch.where(label == 1, (colour + torch.randint(1, COLOURS, (n,))) % COLOURS, colour)
    other_thing = torch.where(label == 2, (thing + torch.randint(1, THINGS, (n,))) % THINGS, thing)
    premise = torch.cat([filler(), colour[:, None], COLOURS + thing[:, None]], 1)
    hypothesis = torch.cat([other_colour[:, None], COLOURS + other_thing[:, None], filler()], 1)
    return TensorDataset(premise, hypothesis, label)


class Encoder(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.rnn = nn.GRU(width, hidden, batch_first=True, bidirectional=True)

    def forward(self, x):
        _, h = self.rnn(x)
        return torch.cat([h[0], h[1]], dim=1)


class SNLIClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(COLOURS + THINGS + 10, 24)
        self.encoder = Encoder(24, 28)
        self.out = nn.Sequential(nn.Linear(4 * 56, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 3))

    def forward(self, premise, hypothesis):
        p, h = self.encoder(self.embed(premise)), self.encoder(self.embed(hypothesis))
        return self.out(torch.cat([p, h, (p - h).abs(), p * h], 1))


torch.manual_seed(7)
train_iter = DataLoader(pairs(2400), batch_size=60, shuffle=True)
dev_set = pairs(500)
model = SNLIClassifier()
criterion = nn.CrossEntropyLoss()
opt = torch.optim.Adam(model.parameters(), lr=8e-3)
for epoch in range(5):
    model.train()
    n_total, loss_sum = 0, 0.0
    for premise, hypothesis, label in train_iter:
        opt.zero_grad()
        loss = criterion(model(premise, hypothesis), label)
        loss.backward()
        opt.step()
        loss_sum += loss.item() * len(label)
        n_total += len(label)
    print(f"epoch {epoch} loss {loss_sum / n_total:.6f}")
model.eval()
with torch.no_grad():
    premise, hypothesis, label = dev_set.tensors
    answer = model(premise, hypothesis).argmax(1)
print(f"result: {(answer == label).float().mean().item():.4f}")
