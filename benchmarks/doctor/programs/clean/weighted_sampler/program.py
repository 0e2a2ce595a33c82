import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler


def table(n, generator):
    y = torch.multinomial(torch.tensor([0.8, 0.14, 0.06]), n, replacement=True, generator=generator)
    x = torch.randn(n, 6, generator=generator)
    x[:, 0] += 2.0 * (y == 1)
    x[:, 1] -= 2.5 * (y == 2)
    x[:, 2] += 1.5 * (y == 2) - 1.0 * (y == 1)
    return TensorDataset(x, y)


def balanced_accuracy(model, data):
    x, y = data.tensors
    model.eval()
    with torch.no_grad():
        guess = model(x).argmax(1)
    recalls = [(guess[y == k] == k).float().mean() for k in range(3)]
    return (sum(recalls) / 3).item()


torch.manual_seed(77)
g = torch.Generator().manual_seed(77)
train_set, test_set = table(1500, g), table(600, g)
counts = torch.bincount(train_set.tensors[1])
sampler = WeightedRandomSampler((1.0 / counts)[train_set.tensors[1]], num_samples=1500, replacement=True, generator=g)
loader = DataLoader(train_set, batch_size=50, sampler=sampler)

model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 3))
optimizer = torch.optim.Adam(model.parameters(), lr=0.005)
loss_fn = nn.CrossEntropyLoss()
for epoch in range(5):
    model.train()
    sum_loss = 0.0
    for x, y in loader:
        loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        sum_loss += loss.item()
    print(f"Epoch {epoch + 1}, loss: {sum_loss / len(loader):.6f}")
print(f"result: {balanced_accuracy(model, test_set):.4f}")
