import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class VAE(nn.Module):
    def __init__(self, n_in=48, n_hidden=64, n_latent=6):
        super().__init__()
        self.fc1 = nn.Linear(n_in, n_hidden)
        self.fc_mu = nn.Linear(n_hidden, n_latent)
        self.fc_logvar = nn.Linear(n_hidden, n_latent)
        self.fc3 = nn.Linear(n_latent, n_hidden)
        self.fc4 = nn.Linear(n_hidden, n_in)

    def encode(self, x):
        h = F.elu(self.fc1(x))
        return self.fc_mu(h), self.fc_logvar(h)

    def sample(self, mu, logvar):
        noise = torch.exp(0.5 * logvar)
        noise = noise * torch.randn_like(noise)
        return mu + noise

    def decode(self, z):
        return self.fc4(F.elu(self.fc3(z)))

    def forward(self, x):
        mu, logvar = self.encode(x)
        z = self.sample(mu, logvar) if self.training else mu
        return self.decode(z), mu, logvar


def elbo(recon, x, mu, logvar, beta=0.002):
    kl = -0.5 * (1 + logvar - mu ** 2 - logvar.exp()).sum(1).mean()
    return F.mse_loss(recon, x) + beta * kl


def signals(n):
    t = torch.linspace(0, 1, 48)
    a, b = torch.randn(n, 1), torch.randn(n, 1)
    return a * torch.sin(6.28 * t) + b * torch.cos(9.42 * t)


torch.manual_seed(77)
train_loader = DataLoader(TensorDataset(signals(1600)), batch_size=64, shuffle=True)
test_x = signals(400)
vae = VAE()
opt = torch.optim.Adam(vae.parameters(), lr=3e-3)
for epoch in range(8):
    vae.train()
    total = 0.0
    for (x,) in train_loader:
        recon, mu, logvar = vae(x)
        loss = elbo(recon, x, mu, logvar)
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() * len(x)
    print(f"Epoch {epoch:2d} loss {total / 1600:.6f}")

vae.eval()
with torch.no_grad():
    rebuilt, _, _ = vae(test_x)
score = 1 - F.mse_loss(rebuilt, test_x).item() / test_x.var().item()
print(f"result: {score:.4f}")
