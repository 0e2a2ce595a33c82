import torch
import torch.nn as nn
from torch.nn.utils import clip_grad_norm_

torch.manual_seed(58)
seqs = torch.rand(1400, 16)
marks = torch.zeros(1400, 16)
for i in range(1400):
    a, b = torch.randperm(16)[:2]
    marks[i, a] = marks[i, b] = 1
total = (seqs * marks).sum(1)
data = torch.stack([seqs, marks], dim=2)
train_x, train_y, test_x, test_y = data[:1100], total[:1100], data[1100:], total[1100:]

rnn = nn.GRU(2, 32, batch_first=True)
head = nn.Linear(32, 1)
parameters = [*rnn.parameters(), *head.parameters()]
optimizer = torch.optim.Adam(parameters, lr=0.01)
for epoch in range(12):
    losses, norms = [], []
    for rows in torch.randperm(1100).split(55):
        out, _ = rnn(train_x[rows])
        loss = nn.functional.mse_loss(head(out[:, -1]).squeeze(-1), train_y[rows])
        optimizer.zero_grad()
        loss.backward()
        norms.append(clip_grad_norm_(parameters, max_norm=1.0).item())
        optimizer.step()
        losses.append(loss.item())
    print(f"epoch {epoch} loss {sum(losses) / len(losses):.6f} largest norm {max(norms):.3f}")
with torch.no_grad():
    out, _ = rnn(test_x)
    close = (head(out[:, -1]).squeeze(-1) - test_y).abs() < 0.2
print(f"result: {close.float().mean().item():.4f}")
