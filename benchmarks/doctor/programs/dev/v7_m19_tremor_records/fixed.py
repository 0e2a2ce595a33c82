import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(9)


class TremorRecords(Dataset):
    """Records of different length; every time point is marked as tremor or quiet."""

    def __init__(self, n):
        self.records = [self.record() for _ in range(n)]

    @staticmethod
    def record():
        length = int(torch.randint(120, 260, (1,)))
        t = torch.arange(length).float()
        signal = 0.5 * torch.randn(length) + 0.5 * torch.sin(t / 15 + 6 * torch.rand(1))
        mark = torch.zeros(length)
        for _ in range(int(torch.randint(0, 4, (1,)))):
            a = int(torch.randint(0, length - 45, (1,)))
            b = a + int(torch.randint(15, 45, (1,)))
            mark[a:b] = 1.0
        signal = signal + mark * 1.5 * torch.sin(t * 1.3)
        return signal, mark

    def standardise(self, mean, std):
        self.records = [((s - mean) / std, m) for s, m in self.records]

    def __len__(self):
        return len(self.records)

    def __getitem__(self, i):
        signal, mark = self.records[i]
        return signal.unsqueeze(0), mark


train_set, test_set = TremorRecords(250), TremorRecords(100)
values = torch.cat([s for s, _ in train_set.records])
mean, std = values.mean(), values.std()
train_set.standardise(mean, std)
test_set.standardise(mean, std)
train_loader = DataLoader(train_set, batch_size=1, shuffle=True)
test_loader = DataLoader(test_set, batch_size=1)

net = nn.Sequential(
    nn.Conv1d(1, 24, 9, padding=4), nn.GroupNorm(4, 24), nn.ReLU(),
    nn.Conv1d(24, 24, 9, padding=8, dilation=2), nn.GroupNorm(4, 24), nn.ReLU(),
    nn.Conv1d(24, 24, 9, padding=16, dilation=4), nn.GroupNorm(4, 24), nn.ReLU(),
    nn.Conv1d(24, 1, 1))
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[5], gamma=0.2)

for epoch in range(7):
    net.train()
    total = 0.0
    for signal, mark in train_loader:
        optimizer.zero_grad()
        loss = criterion(net(signal).squeeze(1), mark)
        loss.backward()
        optimizer.step()
        total += loss.item()
    scheduler.step()
    print(f"epoch {epoch} loss {total / len(train_loader):.4f}")

net.eval()
hits = marked = said = 0
with torch.no_grad():
    for signal, mark in test_loader:
        found, truth = net(signal).squeeze(1) > 0, mark > 0.5
        hits += (found & truth).sum().item()
        marked += truth.sum().item()
        said += found.sum().item()
print(f"result: {2 * hits / (marked + said):.4f}")
