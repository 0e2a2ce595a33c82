# %%
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SEED = 14
np.random.seed(SEED)
torch.manual_seed(SEED)

# %%
# corridor pictures: a lamp spot whose quadrant and width tell the class (8 classes)
def picture(label, side=20):
    corner, wide = label % 4, label // 4
    cy = (5 if corner < 2 else 14) + np.random.uniform(-2, 2)
    cx = (5 if corner % 2 == 0 else 14) + np.random.uniform(-2, 2)
    yy, xx = np.mgrid[0:side, 0:side]
    spot = np.exp(-((yy - cy) ** 2 + (xx - cx) ** 2) / (2 * (1.6 + 1.3 * wide) ** 2))
    ground = np.random.uniform(30, 70) + 28 * np.random.randn(side, side)
    return np.clip(ground + 95 * spot, 0, 255).astype(np.uint8)

labels = np.random.randint(0, 8, 2200)
pictures = np.stack([picture(k) for k in labels])
pictures.shape, pictures.dtype

# %%
# the camera is dark: brighten, then scale to 0..1
bright = pictures * 2 + 20
x = torch.from_numpy(bright.astype(np.float32) / 255).unsqueeze(1)
y = torch.from_numpy(labels)
train_dl = DataLoader(TensorDataset(x[:1800], y[:1800]), batch_size=64, shuffle=True)
test_dl = DataLoader(TensorDataset(x[1800:], y[1800:]), batch_size=64)

# %%
class SpotNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 8, 5, padding=2), nn.LeakyReLU(0.1), nn.AvgPool2d(2),
                                      nn.Conv2d(8, 16, 3, padding=1), nn.LeakyReLU(0.1), nn.AvgPool2d(2))
        self.classify = nn.Linear(16 * 25, 8)

    def forward(self, x):
        return self.classify(torch.flatten(self.features(x), 1))

model = SpotNet()
loss_function = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

# %%
for epoch in range(8):
    model.train()
    summed = 0.
    for xb, yb in train_dl:
        optimizer.zero_grad()
        loss = loss_function(model(xb), yb)
        loss.backward()
        optimizer.step()
        summed += loss.item() * xb.size(0)
    print(f'Epoch {epoch + 1} \t loss: {summed / 1800:.6f}')

# %%
model.eval()
hits = total = 0
with torch.no_grad():
    for xb, yb in test_dl:
        hits += (model(xb).argmax(1) == yb).sum().item()
        total += yb.size(0)
print(f'result: {hits / total:.4f}')
