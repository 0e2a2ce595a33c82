import torch
from torch import nn
from torch.optim import SGD

SIZES = {"cap": 6, "gill": 5, "odor": 9, "stalk": 4, "ring": 3, "spore": 7, "veil": 4, "place": 6}


def gather(n, gen):
    rows = torch.stack([torch.randint(0, k, (n,), generator=gen) for k in SIZES.values()], dim=1)
    cap, gill, odor, stalk, ring, spore, veil, place = rows.T
    danger = (odor > 4).int() + (spore * ring > 5).int() + ((cap + gill) % 3 == 0).int()
    return rows, (danger >= 2).float()


class SafeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.tables = nn.ModuleDict({name: nn.Embedding(k, 8) for name, k in SIZES.items()})
        self.body = nn.Sequential(nn.Linear(8 * len(SIZES), 96), nn.ReLU(), nn.Linear(96, 1))

    def forward(self, rows):
        parts = [table(rows[:, i]) for i, table in enumerate(self.tables.values())]
        return self.body(torch.cat(parts, dim=1)).squeeze(1)


def one_pass(model, optimizer, rows, safe):
    model.train()
    criterion = nn.BCEWithLogitsLoss()
    values = []
    for pick in torch.randperm(len(rows)).split(32):
        optimizer.zero_grad()
        loss = criterion(model(rows[pick]), safe[pick])
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    return sum(values) / len(values)


def score(model, rows, safe):
    model.eval()
    with torch.no_grad():
        return ((model(rows) > 0).float() == safe).float().mean().item()


def experiment(epochs=8, lr=0.2):
    gen = torch.Generator().manual_seed(70)
    rows, safe = gather(2600, gen)
    rows_fit, safe_fit = rows[:2000], safe[:2000]
    rows_check, safe_check = rows[2000:], safe[2000:]
    for epoch in range(1, epochs + 1):
        model = SafeNet()
        optimizer = SGD(model.parameters(), lr=lr, momentum=0.5)
        loss = one_pass(model, optimizer, rows_fit, safe_fit)
        print(f"pass {epoch} loss {loss:.6f}")
    return score(model, rows_check, safe_check)


torch.manual_seed(70)
print(f"result: {experiment():.4f}")
