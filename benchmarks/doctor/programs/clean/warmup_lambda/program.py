import torch
from torch import nn

torch.manual_seed(28)
vocabulary, length = 30, 12
good, bad = torch.arange(0, 8), torch.arange(8, 16)


def sentences(n):
    y = torch.randint(0, 2, (n,))
    words = torch.randint(16, vocabulary, (n, length))
    for i in range(n):
        pool = good if y[i] else bad
        spots = torch.randperm(length)[:3]
        words[i, spots] = pool[torch.randint(0, 8, (3,))]
        words[i, torch.randint(0, length, (1,))] = torch.randint(0, 16, (1,))
    return words, y


x, y = sentences(1400)
xt, yt = sentences(400)


class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(vocabulary, 16)
        self.mlp = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 2))

    def forward(self, words):
        return self.mlp(self.table(words).mean(dim=1))


net = Bag()
opt = torch.optim.AdamW(net.parameters(), lr=0.01)
steps_per_epoch = 1400 // 50
warm, total_steps = 30, 6 * steps_per_epoch
schedule = torch.optim.lr_scheduler.LambdaLR(
    opt, lambda s: (s + 1) / warm if s < warm else max(0.05, (total_steps - s) / (total_steps - warm))
)
for epoch in range(6):
    running = 0.0
    for rows in torch.randperm(1400).split(50):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
        loss.backward()
        opt.step()
        schedule.step()
        running += loss.item()
    print(f"epoch {epoch} lr {opt.param_groups[0]['lr']:.5f} loss {running / steps_per_epoch:.6f}")
with torch.no_grad():
    print(f"result: {(net(xt).argmax(1) == yt).float().mean():.4f}")
