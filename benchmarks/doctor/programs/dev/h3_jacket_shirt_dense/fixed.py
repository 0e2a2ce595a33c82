import argparse

import torch
import torch.nn as nn
import torch.nn.functional as F

import firstlight

parser = argparse.ArgumentParser(description="Dense network on small clothes")
parser.add_argument("--sizes", type=int, nargs="+", default=[784, 256, 128, 10])
parser.add_argument("--batch-size", type=int, default=100)
parser.add_argument("--epochs", type=int, default=11)
parser.add_argument("--lr", type=float, default=0.05)
parser.add_argument("--momentum", type=float, default=0.9)
parser.add_argument("--seed", type=int, default=42)
args = parser.parse_args()

torch.manual_seed(args.seed)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

train, test = firstlight.load("fashion_mnist_small")
train, test = train.subset(range(5000)), test.subset(range(1500))
train_loader = train.batches(args.batch_size, shuffle=True)
test_loader = test.batches(500)

layers = []
for fan_in, fan_out in zip(args.sizes[:-1], args.sizes[1:]):
    layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
model = nn.Sequential(nn.Flatten(), *layers[:-1]).to(device)
print(model)

optimizer = torch.optim.SGD(model.parameters(), lr=args.lr, momentum=args.momentum)

for epoch in range(1, args.epochs + 1):
    model.train()
    losses = 0.0
    for data, target in train_loader:
        data, target = data.to(device), target.to(device)
        optimizer.zero_grad()
        output = model(data)
        loss = F.cross_entropy(output, target)
        loss.backward()
        optimizer.step()
        losses += loss.item() * len(data)
    print("Train Epoch: {} \tLoss: {:.6f}".format(epoch, losses / len(train)))

model.eval()
correct = 0
with torch.no_grad():
    for data, target in test_loader:
        data, target = data.to(device), target.to(device)
        pred = model(data).argmax(dim=1, keepdim=True)
        correct += pred.eq(target.view_as(pred)).sum().item()
print("result: {:.4f}".format(correct / len(test)))
