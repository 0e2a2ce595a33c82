import math

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(29)
LENGTH, WIDTH, DEPTHS = 12, 32, 3

# rows of opening (0) and closing (1) brackets and letters (2..9); how deep is the deepest place?
rows = torch.randint(0, 10, (2400, LENGTH))
step = (rows == 0).long() * 1 - (rows == 1).long() * 1
deepest = step.cumsum(1).max(1).values.clamp(min=0)
answer = deepest.clamp(max=DEPTHS - 1)
train_x, train_y = rows[:1900], answer[:1900]
test_x, test_y = rows[1900:], answer[1900:]


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.token = nn.Embedding(10, WIDTH)
        self.place = nn.Parameter(0.1 * torch.randn(LENGTH, WIDTH))
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.wide = nn.Linear(WIDTH, 2 * WIDTH)
        self.narrow = nn.Linear(2 * WIDTH, WIDTH)
        self.out = nn.Linear(LENGTH * WIDTH, DEPTHS)

    def forward(self, x):
        tokens = self.token(x) + self.place
        q, k, v = self.qkv(tokens).chunk(3, dim=-1)
        weight = (q @ k.transpose(1, 2) / math.sqrt(WIDTH)).softmax(dim=-1)
        heard = weight @ v
        mixed = self.norm(tokens + heard)
        mixed = mixed + self.narrow(F.gelu(self.wide(mixed)))
        return self.out(mixed.flatten(1))


model = Reader()
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
warm = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda i: min(1.0, (i + 1) / 20))
for epoch in range(6):
    model.train()
    total = 0.0
    for pick in torch.randperm(len(train_x)).split(38):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(train_x[pick]), train_y[pick])
        loss.backward()
        optimizer.step()
        warm.step()
        total += loss.item() * len(pick)
    print(f"epoch {epoch} loss {total / len(train_x):.6f}")

model.eval()
with torch.no_grad():
    right = (model(test_x).argmax(1) == test_y).sum().item()
print(f"result: {right / len(test_x):.4f}")
