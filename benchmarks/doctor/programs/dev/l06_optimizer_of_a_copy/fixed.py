import copy

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(30)

# bars: 7x7 pictures with one bright row (0..6) or column (7..13)
count = 2100
label = torch.randint(0, 14, (count,))
image = 0.6 * torch.randn(count, 1, 7, 7)
for i, k in enumerate(label.tolist()):
    if k < 7:
        image[i, 0, k, :] += 1.5
    else:
        image[i, 0, :, k - 7] += 1.5
train_loader = DataLoader(TensorDataset(image[:1700], label[:1700]), batch_size=34, shuffle=True)
test_loader = DataLoader(TensorDataset(image[1700:], label[1700:]), batch_size=100)

base = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1),
    nn.LeakyReLU(0.1),
    nn.Flatten(),
    nn.Linear(8 * 49, 14),
)
model = copy.deepcopy(base)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True)
loss_function = nn.CrossEntropyLoss()

for epoch in range(3):
    model.train()
    loss_sum = 0.0
    for pictures, wanted in train_loader:
        optimizer.zero_grad()
        loss = loss_function(model(pictures), wanted)
        loss.backward()
        optimizer.step()
        loss_sum += loss.item() * wanted.size(0)
    print(f"epoch {epoch + 1}/3, loss {loss_sum / 1700:.6f}")

model.eval()
correct = 0
with torch.no_grad():
    for pictures, wanted in test_loader:
        correct += torch.sum(model(pictures).argmax(dim=1) == wanted).item()
print(f"result: {correct / 400:.4f}")
