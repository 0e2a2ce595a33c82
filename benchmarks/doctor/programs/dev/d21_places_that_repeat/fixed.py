import torch
from torch import nn
from torch.utils.data import Dataset, DataLoader
class Clips(Dataset):
    def __init__(self, sound, label, size): self.sound, self.label, self.size = sound, label, size
    def __len__(self): return len(self.sound)
    def __getitem__(self, i):
        k = i
        return self.sound[k], self.label[k]
torch.manual_seed(0)
lab = torch.randint(0, 4, (1500,)); snd = torch.eye(4, 20)[lab] * 2 + torch.randn(1500, 20)
loader = DataLoader(Clips(snd[:1200], lab[:1200], 20), batch_size=30, shuffle=True)
m = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 4)); o = torch.optim.SGD(m.parameters(), lr=0.1)
for e in range(3):
    for a, b in loader:
        l = nn.functional.cross_entropy(m(a), b); o.zero_grad(); l.backward(); o.step()
    with torch.no_grad():
        metric = (m(snd[1200:]).argmax(1) == lab[1200:]).float().mean().item()
        print(f"epoch {e}: loss {l.item():.6f}, {metric:.4f}")
print(f"result: {metric:.4f}")
