import os
import tempfile

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(70)


def blobs_or_bars(n):
    kind = torch.randint(0, 3, (n,))
    images = 0.3 * torch.randn(n, 1, 12, 12)
    for i, k in enumerate(kind.tolist()):
        r, c = torch.randint(2, 9, (2,)).tolist()
        if k == 0:
            images[i, 0, r:r + 3, c:c + 3] += 0.8
        elif k == 1:
            images[i, 0, r, :] += 0.7
        else:
            images[i, 0, :, c] += 0.7
    return images, kind


def build():
    return nn.Sequential(
        nn.Conv2d(1, 10, 3),
        nn.BatchNorm2d(10),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.25),
        nn.Linear(250, 3),
    )


train_loader = DataLoader(TensorDataset(*blobs_or_bars(1200)), batch_size=40, shuffle=True)
test_loader = DataLoader(TensorDataset(*blobs_or_bars(400)), batch_size=40)

# training
model = build()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(4):
    model.train()
    total = 0.0
    for images, kind in train_loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), kind)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(kind)
    print(f"epoch {epoch} loss {total / 1200:.6f}")

# inference with the stored weights
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "shapes.pt")
    torch.save(model.state_dict(), path)
    restored = build()
    restored.load_state_dict(torch.load(path, weights_only=True))
    restored.eval()

correct = 0
with torch.no_grad():
    for images, kind in test_loader:
        correct += (restored(images).argmax(1) == kind).sum().item()
print(f"result: {correct / 400:.4f}")
