import argparse

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split


def micro_f1(truth, guess):
    hits = (truth & guess).sum().item()
    return 2 * hits / (truth.sum().item() + guess.sum().item())


parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=12)
parser.add_argument("--batch-size", type=int, default=50)
parser.add_argument("--lr", type=float, default=1e-3)
parser.add_argument("--seed", type=int, default=1)
args = parser.parse_args()

torch.manual_seed(args.seed)

# descriptors of photos (20 numbers) and the tags that people gave them (8 tags)
n, n_tags = 2600, 8
descriptors = torch.randn(n, 20)
directions = torch.randn(20, n_tags) / 20 ** 0.5
second = torch.randn(20, n_tags) / 20 ** 0.5
tags = ((descriptors @ directions) + (descriptors @ second).abs() - 0.7 + 0.1 * torch.randn(n, n_tags) > 0).float()

train_set, test_set = random_split(TensorDataset(descriptors, tags), [2000, 600])
train_loader = DataLoader(train_set, batch_size=args.batch_size, shuffle=True)
test_loader = DataLoader(test_set, batch_size=64)

net = nn.Sequential(nn.Linear(20, 256), nn.GELU(), nn.Dropout(0.1),
                    nn.Linear(256, 256), nn.GELU(), nn.Dropout(0.1),
                    nn.Linear(256, n_tags))
optimizer = torch.optim.AdamW(net.parameters(), lr=args.lr, weight_decay=0.01)

for epoch in range(args.epochs):
    net.train()
    total = 0.0
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(net(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
    print(f"[{epoch + 1}/{args.epochs}] bce {total / len(train_set):.4f}")

net.eval()
guesses, truths = [], []
with torch.no_grad():
    for x, y in test_loader:
        probability = torch.sigmoid(net(x))
        guesses.append(probability > 0.5)
        truths.append(y > 0.5)

score = micro_f1(torch.cat(truths), torch.cat(guesses))
print(f"result: {score:.4f}")
