import copy

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Average:
    def __init__(self, model, decay):
        self.model = copy.deepcopy(model)
        self.model.requires_grad_(False)
        self.model.eval()
        self.decay = decay

    @torch.no_grad()
    def update(self, model):
        for kept, new in zip(self.model.parameters(), model.parameters()):
            kept.mul_(self.decay).add_(new, alpha=1 - self.decay)
        for kept, new in zip(self.model.buffers(), model.buffers()):
            kept.copy_(new)


torch.manual_seed(30)
middle = 1.2 * torch.randn(8, 16)
t = torch.randint(0, 8, (2000,))
x = middle[t] + torch.randn(2000, 16)
loader = DataLoader(TensorDataset(x[:1600], t[:1600]), batch_size=32, shuffle=True)

student = nn.Sequential(nn.Linear(16, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 8))
average = Average(student, 0.97)
optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
for epoch in range(5):
    student.train()
    total = 0.0
    for xb, tb in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(student(xb), tb)
        loss.backward()
        optimizer.step()
        average.update(student)
        total += loss.item()
    print(f"epoch {epoch} loss {total / len(loader):.6f}")

with torch.no_grad():
    score = (average.model(x[1600:]).argmax(1) == t[1600:]).float().mean().item()
print(f"result: {score:.4f}")
