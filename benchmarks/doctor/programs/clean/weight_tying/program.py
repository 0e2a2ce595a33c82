import torch
from torch import nn


class TiedModel(nn.Module):
    def __init__(self, words, width=32, context=3):
        super().__init__()
        self.embed = nn.Embedding(words, width)
        nn.init.normal_(self.embed.weight, std=0.3)
        self.mix = nn.Sequential(nn.Linear(context * width, 64), nn.ReLU(), nn.Linear(64, width))
        self.decode = nn.Linear(width, words, bias=True)
        self.decode.weight = self.embed.weight

    def forward(self, ids):
        return self.decode(self.mix(self.embed(ids).flatten(1)))


torch.manual_seed(70)
words = 24
successor = torch.stack([torch.randperm(words) for _ in range(2)])
stream = [0, 1, 2]
for _ in range(3000):
    row = int(stream[-2] % 2)
    stream.append(int(successor[row, stream[-1]]) if torch.rand(()) < 0.85 else int(torch.randint(0, words, ())))
stream = torch.tensor(stream)
windows = stream.unfold(0, 4, 1)
train, test = windows[:2400], windows[2403:]

model = TiedModel(words)
optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
for epoch in range(12):
    total = 0.0
    for rows in torch.randperm(2400).split(60):
        batch = train[rows]
        loss = nn.functional.cross_entropy(model(batch[:, :3]), batch[:, 3])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() / 40
    print(f"epoch {epoch} loss {total:.6f}")
with torch.no_grad():
    print(f"result: {(model(test[:, :3]).argmax(1) == test[:, 3]).float().mean().item():.4f}")
