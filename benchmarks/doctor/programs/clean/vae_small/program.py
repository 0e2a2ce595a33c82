import torch
from torch import nn, optim
from torch.nn import functional as F
from torch.utils.data import DataLoader


def bars(n):
    """8x8 pictures with one upright and one level bar, a little noise in the brightness."""
    x = 0.05 + 0.05 * torch.rand(n, 8, 8)
    r, c = torch.randint(0, 8, (n,)), torch.randint(0, 8, (n,))
    x[torch.arange(n), r, :] = 0.85 + 0.1 * torch.rand(n, 8)
    x[torch.arange(n), :, c] = 0.85 + 0.1 * torch.rand(n, 8)
    return x.flatten(1)


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 80)
        self.fc21 = nn.Linear(80, 8)
        self.fc22 = nn.Linear(80, 8)
        self.fc3 = nn.Linear(8, 80)
        self.fc4 = nn.Linear(80, 64)

    def encode(self, x):
        h = F.relu(self.fc1(x))
        return self.fc21(h), self.fc22(h)

    def reparameterize(self, mu, logvar):
        if not self.training:
            return mu
        std = torch.exp(0.5 * logvar)
        return mu + torch.randn_like(std) * std

    def decode(self, z):
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

    def forward(self, x):
        mu, logvar = self.encode(x)
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    bce = F.binary_cross_entropy(recon_x, x, reduction="sum")
    kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return bce + kld


torch.manual_seed(1)
train_loader = DataLoader(bars(2400), batch_size=40, shuffle=True)
test_set = bars(400)
model = VAE()
optimizer = optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(1, 9):
    model.train()
    train_loss = 0
    for data in train_loader:
        optimizer.zero_grad()
        recon, mu, logvar = model(data)
        loss = loss_function(recon, data, mu, logvar)
        loss.backward()
        train_loss += loss.item()
        optimizer.step()
    print(f"====> Epoch: {epoch} Average loss: {train_loss / 2400:.6f}")
model.eval()
with torch.no_grad():
    recon, _, _ = model(test_set)
    agreement = ((recon > 0.5) == (test_set > 0.5)).float().mean().item()
print(f"result: {agreement:.4f}")
