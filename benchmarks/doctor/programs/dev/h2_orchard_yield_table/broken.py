import argparse

import torch
from torch import nn

parser = argparse.ArgumentParser(description="predict orchard yield from weather and soil columns")
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--lr", type=float, default=1e-2)
parser.add_argument("--accum", type=int, default=64, help="batches per update")
parser.add_argument("--seed", type=int, default=8)
args = parser.parse_args()

torch.manual_seed(args.seed)

# rain, sun hours, age of the trees, nitrogen, frost days
columns = torch.randn(1680, 5)
rain, sun, age, nitrogen, frost = columns.unbind(1)
harvest = 2.0 * torch.tanh(rain) + sun * (1 - 0.3 * sun) - 0.8 * torch.relu(frost) + 0.5 * age * nitrogen
harvest = harvest + 0.15 * torch.randn(len(harvest))
train_x, test_x = columns[:1280], columns[1280:]
train_y, test_y = harvest[:1280, None], harvest[1280:, None]

model = nn.Sequential(nn.Linear(5, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
criterion = nn.SmoothL1Loss()

optimizer.zero_grad()
for epoch in range(args.epochs):
    shuffled = torch.randperm(len(train_x))
    running = 0.0
    chunks = shuffled.split(args.batch)
    for i, rows in enumerate(chunks):
        loss = criterion(model(train_x[rows]), train_y[rows])
        (loss / args.accum).backward()
        running += loss.item()
        if (i + 1) % args.accum == 0:
            optimizer.step()
            optimizer.zero_grad()
    print(f"epoch {epoch} loss {running / len(chunks):.6f}")

model.eval()
with torch.no_grad():
    residual = (model(test_x) - test_y).pow(2).sum()
    around_mean = (test_y - test_y.mean()).pow(2).sum()
r2 = 1 - (residual / around_mean).item()
print(f"result: {r2:.4f}")
