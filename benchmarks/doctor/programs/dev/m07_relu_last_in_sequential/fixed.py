import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(2024)
device = "cpu"

# six kinds of flowers, eight measurements each
kinds = 6
typical = torch.randn(kinds, 8) * 1.5
label = torch.randint(0, kinds, (1800,))
measured = typical[label] + 0.8 * torch.randn(1800, 8)

mean, std = measured[:1500].mean(0), measured[:1500].std(0)
measured = (measured - mean) / std

training_data = TensorDataset(measured[:1500], label[:1500])
test_data = TensorDataset(measured[1500:], label[1500:])
train_dataloader = DataLoader(training_data, batch_size=64, shuffle=True)
test_dataloader = DataLoader(test_data, batch_size=64)

model = nn.Sequential(
    nn.Linear(8, 64),
    nn.ReLU(),
    nn.Linear(64, 64),
    nn.ReLU(),
    nn.Linear(64, kinds),
).to(device)

loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=5e-2)

epochs = 8
for t in range(epochs):
    model.train()
    for X, y in train_dataloader:
        X, y = X.to(device), y.to(device)
        pred = model(X)
        loss = loss_fn(pred, y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    model.eval()
    test_loss, correct = 0, 0
    with torch.no_grad():
        for X, y in test_dataloader:
            X, y = X.to(device), y.to(device)
            pred = model(X)
            test_loss += loss_fn(pred, y).item() * len(y)
            correct += (pred.argmax(1) == y).type(torch.float).sum().item()
    test_loss /= len(test_data)
    correct /= len(test_data)
    print(f"Epoch {t + 1}: accuracy {100 * correct:.1f}%, avg test loss {test_loss:.6f}")

print(f"result: {correct:.4f}")
