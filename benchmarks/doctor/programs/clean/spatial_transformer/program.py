import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(10)
GLYPHS = torch.tensor([
    [[1, 1, 1], [1, 0, 0], [1, 0, 0]], [[1, 1, 1], [0, 1, 0], [0, 1, 0]], [[1, 0, 1], [1, 0, 1], [1, 1, 1]], [[0, 1, 0], [1, 1, 1], [0, 1, 0]],
]).float()


def scattered(n):
    y = torch.randint(0, 4, (n,))
    x = torch.zeros(n, 1, 12, 12)
    big = F.interpolate(GLYPHS[y].unsqueeze(1), scale_factor=2.0)
    at = torch.randint(0, 7, (n, 2))
    for i in range(n):
        a, b = at[i]
        x[i, :, a:a + 6, b:b + 6] = big[i]
    return TensorDataset(x + 0.15 * torch.randn_like(x), y)


class STN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3)
        self.conv2 = nn.Conv2d(8, 12, 3)
        self.fc1 = nn.Linear(12 * 9, 32)
        self.fc2 = nn.Linear(32, 4)
        self.localization = nn.Sequential(nn.Conv2d(1, 6, 5), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten())
        self.fc_loc = nn.Sequential(nn.Linear(96, 24), nn.ReLU(), nn.Linear(24, 6))
        self.fc_loc[2].weight.data.zero_()
        self.fc_loc[2].bias.data.copy_(torch.tensor([1, 0, 0, 0, 1, 0], dtype=torch.float))

    def stn(self, x):
        theta = self.fc_loc(self.localization(x)).view(-1, 2, 3)
        grid = F.affine_grid(theta, x.size(), align_corners=False)
        return F.grid_sample(x, grid, align_corners=False)

    def forward(self, x):
        x = self.stn(x)
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(self.conv2(x))
        return F.log_softmax(self.fc2(F.relu(self.fc1(x.flatten(1)))), dim=1)


train_loader, test_set = DataLoader(scattered(1200), batch_size=30, shuffle=True), scattered(300)
model = STN()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(1, 5):
    model.train()
    total = 0.0
    for data, target in train_loader:
        optimizer.zero_grad()
        loss = F.nll_loss(model(data), target)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"Train Epoch: {epoch} Loss: {total / len(train_loader):.6f}")
model.eval()
with torch.no_grad():
    data, target = test_set.tensors
    print(f"result: {(model(data).argmax(1) == target).float().mean().item():.4f}")
