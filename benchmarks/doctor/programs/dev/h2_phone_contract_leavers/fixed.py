import argparse

import torch
import torch.nn.functional as F
from torch import nn, optim

ap = argparse.ArgumentParser()
ap.add_argument("--hidden", type=int, default=72)
ap.add_argument("--lr", type=float, default=1e-3)
ap.add_argument("--epochs", type=int, default=10)
ap.add_argument("--batch", type=int, default=48)
args = ap.parse_args([])

torch.manual_seed(40)
rows = 2600

# columns: customer number, months, calls to the hotline, monthly bill, data used, minutes abroad, leaves
months = torch.randint(1, 60, (rows,)).float()
hotline = torch.poisson(torch.full((rows,), 1.4))
bill = 15 + 40 * torch.rand(rows)
used = 12 * torch.rand(rows) ** 2
abroad = 30 * torch.rand(rows) ** 3
logit = 0.9 * hotline - 0.045 * months + 0.07 * (bill - 35) - 0.22 * used + 0.05 * abroad + 0.2 * torch.randn(rows)
leaves = (torch.sigmoid(logit) > torch.rand(rows)).float()
table = torch.stack([torch.arange(rows).float(), months, hotline, bill, used, abroad, leaves], dim=1)

cut = int(rows * 0.8)
columns = slice(1, -1)
feats_train, feats_test = table[:cut, columns], table[cut:, columns]
label_train, label_test = table[:cut, -1], table[cut:, -1]
centre, spread = feats_train.mean(0), feats_train.std(0)
feats_train = (feats_train - centre) / spread
feats_test = (feats_test - centre) / spread

net = nn.Sequential(
    nn.Linear(feats_train.shape[1], args.hidden), nn.LeakyReLU(),
    nn.Linear(args.hidden, args.hidden), nn.LeakyReLU(),
    nn.Linear(args.hidden, 1), nn.Flatten(0),
)
opt = optim.Adam(net.parameters(), lr=args.lr)

for epoch in range(args.epochs):
    net.train()
    shuffled = torch.randperm(cut)
    summed = 0.0
    for start in range(0, cut, args.batch):
        rows_now = shuffled[start:start + args.batch]
        loss = F.binary_cross_entropy_with_logits(net(feats_train[rows_now]), label_train[rows_now])
        opt.zero_grad()
        loss.backward()
        opt.step()
        summed += loss.item() * len(rows_now)
    print(f"epoch {epoch}: loss = {summed / cut:.6f}")

net.eval()
with torch.no_grad():
    says_leave = net(feats_test) > 0
acc = (says_leave == label_test.bool()).float().mean().item()
print(f"result: {acc:.4f}")
