# %% [markdown]
# # Transfer learning: from 8 coarse textures to 4 fine ones
# 1. pretrain on the big set  2. put on a new head  3. fine-tune on the small set

# %%
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(77)
SIZE = 12


# %%
def textures(n, freqs, g):
    """Noisy plane waves; the class decides direction and frequency."""
    freqs = torch.tensor(freqs)
    y = torch.randint(len(freqs), (n,), generator=g)
    yy, xx = torch.meshgrid(torch.arange(SIZE).float(), torch.arange(SIZE).float(), indexing="ij")
    fx, fy = freqs[y, 0, None, None], freqs[y, 1, None, None]
    phase = 6.2832 * torch.rand(n, 1, 1, generator=g)
    x = torch.sin(fx * xx + fy * yy + phase) + 0.6 * torch.randn(n, SIZE, SIZE, generator=g)
    return x[:, None], y


coarse = [(0.5, 0.0), (0.0, 0.5), (1.2, 0.0), (0.0, 1.2), (1.0, 1.0), (1.0, -1.0), (2.0, 0.4), (0.4, 2.0)]
fine = [(0.8, 0.3), (0.3, 0.8), (1.5, 0.9), (0.9, 1.5)]
g = torch.Generator().manual_seed(770)
pre_dl = DataLoader(TensorDataset(*textures(1500, coarse, g)), batch_size=50, shuffle=True)
fine_dl = DataLoader(TensorDataset(*textures(480, fine, g)), batch_size=24, shuffle=True)
x_test, y_test = textures(500, fine, g)


# %%
class TextureNet(nn.Module):
    def __init__(self, n_classes):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(1, 12, 5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )
        self.fc = nn.Linear(24, n_classes)

    def forward(self, x):
        return self.fc(self.backbone(x))


def run(net, dl, opt, epochs):
    for epoch in range(epochs):
        net.train()
        total = 0.0
        for xb, yb in dl:
            opt.zero_grad()
            loss = nn.functional.cross_entropy(net(xb), yb)
            loss.backward()
            opt.step()
            total += loss.item() * len(xb)
        print(f"  epoch {epoch}: {total / len(dl.dataset):.4f}")


# %% pretraining
net = TextureNet(n_classes=len(coarse))
print("pretraining")
run(net, pre_dl, torch.optim.Adam(net.parameters(), lr=3e-3), epochs=4)

# %% fine-tuning
net.fc = nn.Linear(24, len(fine))
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
print("fine-tuning")
run(net, fine_dl, opt, epochs=8)

# %%
net.eval()
with torch.no_grad():
    print(f"test accuracy: {(net(x_test).argmax(1) == y_test).float().mean().item():.4f}")
