import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class BeforeAfter(Dataset):
    """Each person was measured twice: before (0) and after (1)."""

    def __init__(self, people, seed):
        g = torch.Generator().manual_seed(seed)
        person = torch.randn(people, 5, generator=g)
        change = torch.tensor([1.6, -1.2, 0.0, 0.8, -1.5])
        before = person + 0.5 * torch.randn(people, 5, generator=g)
        after = person + change + 0.5 * torch.randn(people, 5, generator=g)
        self.rows = torch.stack([before, after], 1).reshape(-1, 5)
        self.when = torch.tensor([0.0, 1.0]).repeat(people)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        return self.rows[i], self.when[i]


class Logistic(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(5, 16)
        self.out = nn.Linear(16, 1)

    def forward(self, rows):
        return self.out(torch.tanh(self.hidden(rows))).squeeze(-1)


torch.manual_seed(0)
train_loader = DataLoader(BeforeAfter(700, 1), batch_size=20)
test_loader = DataLoader(BeforeAfter(200, 2), batch_size=100)
model = Logistic()
opt = torch.optim.SGD(model.parameters(), lr=0.2)
for epoch in range(4):
    total = 0.0
    for rows, when in train_loader:
        opt.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(model(rows), when)
        loss.backward()
        opt.step()
        total += loss.item() * len(rows)
    print(f"epoch {epoch} {total / 1400:.6f}")

hits = 0
with torch.no_grad():
    for rows, when in test_loader:
        hits += ((model(rows) > 0).float() == when).sum().item()
print(f"result: {hits / 400:.4f}")
