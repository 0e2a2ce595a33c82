# %%
import torch
from torch import nn
from torch.utils.data import TensorDataset, DataLoader

torch.manual_seed(310)

# %%
# seven segments of a display, some of them flickering; which digit is shown?
SEGMENTS = ["1110111", "0010010", "1011101", "1011011", "0111010", "1101011", "1101111", "1010010", "1111111", "1111011"]
table = torch.tensor([[float(c) for c in s] for s in SEGMENTS])


def displays(n):
    digit = torch.randint(0, 10, (n,))
    return table[digit] + 0.22 * torch.randn(n, 7), digit


train_data = TensorDataset(*displays(2000))
test_data = TensorDataset(*displays(500))

# %%
model = nn.Sequential(nn.Linear(7, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)

# %%
for epoch in range(10):
    total = 0.0
    for lit, digit in DataLoader(train_data, batch_size=50, shuffle=True):
        loss = criterion(model(lit), digit)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(digit)
    print(f"epoch {epoch}: loss {total / len(train_data):.6f}")

# %%
correct = 0
with torch.no_grad():
    for lit, digit in DataLoader(test_data, batch_size=100):
        guess = model(lit).argmax(1)
        correct += (guess == digit).sum().item()
print(f"result: {correct / len(test_data):.4f}")
