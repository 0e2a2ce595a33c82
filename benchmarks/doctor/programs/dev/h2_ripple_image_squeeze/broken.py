# A small variational autoencoder on pictures of ripples.
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(77)
SIZE, LATENT, BATCH, EPOCHS = 20, 10, 50, 7


def ripples(n):
    grid = torch.linspace(-1, 1, SIZE)
    yy, xx = torch.meshgrid(grid, grid, indexing="ij")
    cx, cy = torch.rand(n, 1, 1) - 0.5, torch.rand(n, 1, 1) - 0.5
    far = ((xx - cx) ** 2 + (yy - cy) ** 2).sqrt()
    clean = 0.5 + 0.5 * torch.cos(far * (4 + 3 * torch.rand(n, 1, 1)))
    return (clean + 0.03 * torch.randn(n, SIZE, SIZE)).clamp(0, 1).reshape(n, -1)


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(SIZE * SIZE, 256)
        self.fc21 = nn.Linear(256, LATENT)
        self.fc22 = nn.Linear(256, LATENT)
        self.fc3 = nn.Linear(LATENT, 256)
        self.fc4 = nn.Linear(256, SIZE * SIZE)

    def encode(self, x):
        h = F.relu(self.fc1(x))
        return self.fc21(h), self.fc22(h)

    def decode(self, z):
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

    def forward(self, x):
        mu, logvar = self.encode(x)
        z = mu
        if self.training:
            z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)
        return self.decode(z), mu, logvar


train_images, test_images = ripples(2000), ripples(500)
vae = VAE()
opt = torch.optim.Adam(vae.parameters(), lr=2e-3)

for epoch in range(1, EPOCHS + 1):
    vae.train()
    seen = 0.0
    for rows in torch.randperm(len(train_images)).split(BATCH):
        batch = train_images[rows]
        opt.zero_grad()
        recon, mu, logvar = vae(batch)
        rebuilt = (recon - batch).pow(2).sum(1).mean()
        kl = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(1).mean()
        loss = rebuilt + 0.1 * kl
        loss.backward(retain_graph=True)
        opt.step()
        seen += loss.item() * len(rows)
    print(f"epoch {epoch}: loss {seen / len(train_images):.6f}")

vae.eval()
with torch.no_grad():
    recon, _, _ = vae(test_images)
    unexplained = F.mse_loss(recon, test_images) / (test_images - test_images.mean(0)).pow(2).mean()
print(f"result: {1 - unexplained.item():.4f}")
