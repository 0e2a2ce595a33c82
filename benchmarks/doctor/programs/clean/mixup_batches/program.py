import torch
import torch.nn.functional as F
from torch import nn
import firstlight as fl

torch.manual_seed(31)
train, test = fl.load("fashion_mnist_small")
images, labels = train[:2000]
test_images, test_labels = test[:1000]
beta = torch.distributions.Beta(0.2, 0.2)

net = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(196, 96), nn.ReLU(), nn.Linear(96, 10))
opt = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.01)
for epoch in range(6):
    total, batches = 0.0, 0
    for rows in torch.randperm(len(images)).split(50):
        x, y = images[rows], F.one_hot(labels[rows], 10).float()
        lam = beta.sample().item()
        partner = torch.randperm(len(rows))
        x = lam * x + (1 - lam) * x[partner]
        y = lam * y + (1 - lam) * y[partner]
        loss = F.cross_entropy(net(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item()
        batches += 1
    print(f"epoch {epoch} {total / batches:.6f}")

net.eval()
with torch.no_grad():
    accuracy = (net(test_images).argmax(1) == test_labels).float().mean().item()
print(f"result: {accuracy:.4f}")
