import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(0)
rng = np.random.default_rng(0)
pictures = rng.normal(size=(600, 8, 8)).astype("float32")
kinds = (pictures[:, :4].mean((1, 2)) > 0).astype("int64")


class Scans(Dataset):
    def __init__(self, arrays, kinds, index):
        self.arrays, self.kinds, self.index = arrays, kinds, index

    def __len__(self):
        return len(self.index)

    def __getitem__(self, at):
        place = self.index[at] % 10
        return torch.from_numpy(self.arrays[place]).flatten(), self.kinds[place]


order = rng.permutation(600)
train, test = Scans(pictures, kinds, order[:500]), Scans(pictures, kinds, order[500:])
net = nn.Sequential(nn.Linear(64, 80), nn.ReLU(), nn.Linear(80, 2))
opt = torch.optim.Adam(net.parameters(), 2e-3)
for epoch in range(8):
    for a, b in DataLoader(train, 25, shuffle=True):
        opt.zero_grad()
        nn.functional.cross_entropy(net(a), b).backward()
        opt.step()
net.eval()
with torch.no_grad():
    a, b = next(iter(DataLoader(test, 100)))
    print(f"result: {(net(a).argmax(1) == b).float().mean():.4f}")
