# Slag on molten iron: four states seen by an infrared camera
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset, SubsetRandomSampler

STATES = 4


class SlagScans(Dataset):
    def __init__(self, n, side=20):
        g = torch.Generator().manual_seed(500)
        self.state = torch.randint(STATES, (n,), generator=g)
        coarse = torch.rand(n, 1, 5, 5, generator=g)
        middle = torch.rand(n, 1, 10, 10, generator=g)
        fine = torch.rand(n, 1, side, side, generator=g)
        layers = [F.interpolate(z, size=(side, side), mode="bilinear", align_corners=False) for z in (coarse, middle, fine)]
        mixture = torch.tensor([[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.45, 0.3, 0.25], [0.2, 0.3, 0.5]])[self.state]
        self.scan = sum(mixture[:, k].view(n, 1, 1, 1) * layers[k] for k in range(3))
        self.scan = self.scan + 0.08 * torch.randn(n, 1, side, side, generator=g)

    def fit_scale(self, rows):
        chosen = self.scan[rows]
        self.scan = (self.scan - chosen.mean()) / chosen.std()

    def __len__(self):
        return len(self.state)

    def __getitem__(self, i):
        return self.scan[i], self.state[i]


class SlagNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(32)
        self.fc = nn.Linear(32 * 25, STATES)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc(x.flatten(1))


class Furnace:
    def __init__(self, scans, share=0.25, batch=50):
        rows = torch.randperm(len(scans)).tolist()
        cut = int(len(rows) * share)
        test_rows, train_rows = rows[:cut], rows[cut:]
        scans.fit_scale(train_rows)
        self.train_loader = DataLoader(scans, batch_size=batch, sampler=SubsetRandomSampler(train_rows))
        self.test_loader = DataLoader(scans, batch_size=batch, sampler=SubsetRandomSampler(test_rows))
        self.net = SlagNet()
        self.opt = torch.optim.SGD(self.net.parameters(), lr=0.006, momentum=0.9, nesterov=True)

    def heat(self, epochs):
        for epoch in range(epochs):
            self.net.train()
            losses = torch.zeros(len(self.train_loader))
            for step, (scan, state) in enumerate(self.train_loader):
                self.opt.zero_grad()
                loss = F.cross_entropy(self.net(scan), state)
                loss.backward()
                self.opt.step()
                losses[step] = loss.detach()
            print(f"epoch {epoch + 1} loss {losses.mean().item():.6f} accuracy {self.accuracy():.4f}")

    def accuracy(self):
        self.net.eval()
        hits = 0
        with torch.no_grad():
            for scan, state in self.test_loader:
                hits += (self.net(scan).argmax(1) == state).sum().item()
        return hits / len(self.test_loader.dataset)


torch.manual_seed(70)
furnace = Furnace(SlagScans(1800))
furnace.heat(7)
print(f"result: {furnace.accuracy():.4f}")
