import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(88)

# wine-like data: eleven measurements, three growers
means = torch.randn(3, 11)
grower = torch.randint(3, (1800,))
measured = means[grower] + torch.randn(1800, 11) * 1.2
train_ds = TensorDataset(measured[:1400], grower[:1400])
loader = DataLoader(train_ds, batch_size=28, shuffle=True)
x_test, y_test = measured[1400:], grower[1400:]

model = nn.Sequential(nn.Linear(11, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 3))
loss_fn = nn.CrossEntropyLoss()
opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)

for epoch in range(5):
    model.train()
    total = 0.0
    for x, y in loader:
        loss = loss_fn(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() * x.shape[0]
    print(f"after epoch {epoch}: {total / len(train_ds):.6f}")

model.eval()
with torch.no_grad():
    print(f"result: {(model(x_test).argmax(1) == y_test).float().mean().item():.4f}")
