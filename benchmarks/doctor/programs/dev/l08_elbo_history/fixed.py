import torch
import torch.nn as nn
import torch.nn.functional as F


class VAE(nn.Module):
    def __init__(self, n_in, n_hidden=64, n_latent=4):
        super().__init__()
        self.enc = nn.Linear(n_in, n_hidden)
        self.mu = nn.Linear(n_hidden, n_latent)
        self.logvar = nn.Linear(n_hidden, n_latent)
        self.dec = nn.Sequential(nn.Linear(n_latent, n_hidden), nn.ReLU(), nn.Linear(n_hidden, n_in))

    def encode(self, x):
        h = F.relu(self.enc(x))
        return self.mu(h), self.logvar(h)

    def forward(self, x):
        mu, logvar = self.encode(x)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp() if self.training else mu
        return self.dec(z), mu, logvar


def negative_elbo(recon, x, mu, logvar, beta=0.2):
    rec = F.mse_loss(recon, x, reduction="sum") / len(x)
    kld = -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(1).mean()
    return rec + beta * kld


class Trainer:
    def __init__(self, model, lr):
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        self.history = {"loss": [], "epoch": []}

    def fit(self, data, epochs, batch_size):
        for epoch in range(epochs):
            self.model.train()
            for idx in torch.randperm(len(data)).split(batch_size):
                batch = data[idx]
                recon, mu, logvar = self.model(batch)
                loss = negative_elbo(recon, batch, mu, logvar)
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                self.history["loss"].append(loss.item())
                self.history["epoch"].append(epoch)
            latest = [l for l, e in zip(self.history["loss"], self.history["epoch"]) if e == epoch]
            print(f"epoch {epoch}: -ELBO {sum(latest) / len(latest):.4f}")

    @torch.no_grad()
    def explained_variance(self, data):
        self.model.eval()
        recon, _, _ = self.model(data)
        return 1 - ((recon - data).pow(2).sum() / (data - data.mean(0)).pow(2).sum()).item()


def faces(n, decoder, g):
    """'Faces' from four hidden traits, 40 measurements each."""
    traits = torch.randn(n, 4, generator=g)
    return torch.tanh(decoder(traits)) + 0.1 * torch.randn(n, 40, generator=g)


torch.manual_seed(12)
gen = torch.Generator().manual_seed(120)
mix = torch.randn(4, 40, generator=gen) / 2
everyone = faces(2000, lambda t: t @ mix, gen)
train, test = everyone[:1600], everyone[1600:]
mean, std = train.mean(0), train.std(0)
train, test = (train - mean) / std, (test - mean) / std

trainer = Trainer(VAE(40), lr=3e-3)
trainer.fit(train, epochs=12, batch_size=64)
print(f"explained variance on new faces: {trainer.explained_variance(test):.4f}")
