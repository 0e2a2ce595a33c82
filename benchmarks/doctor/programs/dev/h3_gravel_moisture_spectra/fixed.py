# Squeezes spectra of gravel into eight numbers and unfolds them again.
import math

import torch
from torch import nn

torch.manual_seed(29)

mixtures = torch.rand(2400, 6) * 2 - 1
peaks = torch.randn(6, 80) / math.sqrt(2)
spectra = torch.tanh(mixtures @ peaks) + 0.05 * torch.randn(2400, 80)
train, test = spectra[:2000], spectra[2000:]
level = train.mean(dim=0)
train, test = train - level, test - level

encoder = nn.Sequential(nn.Linear(80, 400), nn.ReLU(), nn.Linear(400, 8))
decoder = nn.Sequential(nn.Linear(8, 400), nn.ReLU(), nn.Linear(400, 80))
loss_fn = nn.MSELoss()
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3)

EPOCHS, BATCH = 25, 50
for epoch in range(EPOCHS):
    encoder.train()
    decoder.train()
    epoch_loss = 0.0
    shuffled = train[torch.randperm(len(train))]
    for i in range(0, len(shuffled), BATCH):
        x = shuffled[i : i + BATCH]
        x_hat = decoder(encoder(x))
        loss = loss_fn(x_hat, x)
        epoch_loss += loss.item() * len(x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"Epoch {epoch + 1}/{EPOCHS} - loss: {epoch_loss / len(train):.6f}")

encoder.eval()
decoder.eval()
with torch.no_grad():
    test_loss = loss_fn(decoder(encoder(test)), test)
print(f"result: {1 - test_loss.item() / test.var(dim=0, unbiased=False).mean().item():.4f}")
