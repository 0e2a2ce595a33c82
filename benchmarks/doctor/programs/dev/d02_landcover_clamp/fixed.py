# Land cover segmentation of small satellite tiles.
# The annotation tool writes codes 1 = water, 2 = field, 3 = forest, 4 = town.
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(8)
rng = np.random.default_rng(8)

N_CLASSES = 4
BANDS = np.array([[-1.0, -0.6, -1.1], [0.9, 0.2, 1.0], [-0.2, 1.1, 0.1], [0.5, -0.9, 0.6]])


def draw_tiles(n, size=20):
    codes = np.ones((n, size, size), dtype=np.int64)
    for tile in codes:
        tile[:] = rng.integers(1, 5)
        for _ in range(5):
            r, c = rng.integers(0, size - 6, 2)
            h, w = rng.integers(5, 12, 2)
            tile[r:r + h, c:c + w] = rng.integers(1, 5)
    pictures = BANDS[codes - 1].transpose(0, 3, 1, 2) + rng.normal(0, 0.7, (n, 3, size, size))
    return torch.tensor(pictures, dtype=torch.float32), codes


def to_target(codes):
    return torch.from_numpy(codes) - 1


train_x, train_codes = draw_tiles(300)
test_x, test_codes = draw_tiles(100)
train_loader = DataLoader(TensorDataset(train_x, to_target(train_codes)), batch_size=20, shuffle=True)
test_loader = DataLoader(TensorDataset(test_x, to_target(test_codes)), batch_size=50)

net = nn.Sequential(
    nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(),
    nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(),
    nn.Conv2d(16, N_CLASSES, 1),
)
loss_fn = nn.CrossEntropyLoss()
opt = torch.optim.Adam(net.parameters(), lr=5e-3)

for epoch in range(8):
    net.train()
    epoch_loss = 0.0
    for pictures, target in train_loader:
        opt.zero_grad()
        loss = loss_fn(net(pictures), target)
        loss.backward()
        opt.step()
        epoch_loss += loss.item()
    print(f"epoch {epoch} loss {epoch_loss / len(train_loader):.4f}")

net.eval()
right = pixels = 0
with torch.no_grad():
    for pictures, target in test_loader:
        guess = net(pictures).argmax(dim=1)
        right += (guess == target).sum().item()
        pixels += target.numel()
print(f"result: {right / pixels:.4f}")
