import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(5)

# pulses of a detector: two humps of random place, width and height on 64 time points
def pulses(n):
    t = torch.linspace(0, 1, 64)
    place = 0.2 + 0.6 * torch.rand(n, 2, 1)
    width = 0.05 + 0.08 * torch.rand(n, 2, 1)
    height = 0.5 + torch.rand(n, 2, 1)
    return (height * torch.exp(-((t - place) / width) ** 2)).sum(1) + 0.02 * torch.randn(n, 64)

train, test = pulses(3000), pulses(600)
mu, sd = train.mean(), train.std()
train, test = (train - mu) / sd, (test - mu) / sd

class PulseVAE(nn.Module):
    def __init__(self, latent=6):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 256), nn.ELU(), nn.Linear(256, 128), nn.ELU())
        self.to_mean = nn.Linear(128, latent)
        self.to_logvar = nn.Linear(128, latent)
        self.decoder = nn.Sequential(nn.Linear(latent, 128), nn.ELU(), nn.Linear(128, 256), nn.ELU(), nn.Linear(256, 64))

    def forward(self, x):
        h = self.encoder(x)
        mean, logvar = self.to_mean(h), self.to_logvar(h)
        z = mean
        if self.training:
            z = mean + torch.randn_like(mean) * torch.exp(0.5 * logvar)
        return self.decoder(z), mean, logvar

vae = PulseVAE()
optimizer = torch.optim.Adam(vae.parameters(), lr=2e-3)
batch_size = 60

for epoch in range(20):
    vae.train()
    order = torch.randperm(len(train))
    recon_sum = kl_sum = 0.0
    for k in range(0, len(train), batch_size):
        x = train[order[k:k + batch_size]]
        recon, mean, logvar = vae(x)
        recon_loss = F.mse_loss(recon, x)
        kl = -0.5 * (1 + logvar - mean.pow(2) - logvar.exp()).sum(1).mean() / 64
        loss = recon_loss + 0.1 * kl
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        recon_sum += recon_loss.item() * len(x)
        kl_sum += kl.item() * len(x)
    if epoch % 4 == 3:
        print(f"epoch {epoch + 1}  recon {recon_sum / len(train):.4f}  kl {kl_sum / len(train):.4f}")

vae.eval()
with torch.no_grad():
    error = F.mse_loss(vae(test)[0], test).item()
print(f"result: {error:.4f}")
