# %%
import firstlight as fl
import torch
from torch import nn

torch.manual_seed(0)
train, test = fl.load("fashion_mnist_small")
train, test = train.subset(range(2000)), test.subset(range(500))

# %%
model = nn.Sequential(nn.Flatten(), nn.Linear(784, 40), nn.ReLU(), nn.Linear(40, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

# %%
criterion = nn.CrossEntropyLoss()

# %%
for epoch in range(2):
    total, n = 0.0, 0
    for images, labels in train.batches(50, shuffle=True):
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item()
        n += 1
    print(f"epoch {epoch} loss {total / n:.6f}")

# %%
model.eval()
with torch.no_grad():
    images, labels = test[:500]
    accuracy = (model(images).argmax(1) == labels).float().mean().item()
print(f"result: {accuracy:.4f}")
