# Denoising autoencoder for short ECG-like beats
import argparse
import math

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=12)
parser.add_argument("--batch-size", type=int, default=50)
parser.add_argument("--lr", type=float, default=2e-3)
parser.add_argument("--beta1", type=float, default=0.9)
parser.add_argument("--beta2", type=float, default=0.999)
parser.add_argument("--code", type=int, default=10)
parser.add_argument("--seed", type=int, default=99)
args = parser.parse_args()
torch.manual_seed(args.seed)

T = 60
t = torch.linspace(-1, 1, T)


def beats(n):
    def wave(height, centre, width):
        return height * torch.exp(-((t - centre) ** 2) / (2 * width**2))

    u = lambda lo, hi: lo + (hi - lo) * torch.rand(n, 1)
    p = wave(u(0.2, 0.5), u(-0.65, -0.45), u(0.05, 0.1))
    qrs = wave(u(1.5, 2.5), u(-0.1, 0.1), u(0.03, 0.06)) - wave(u(0.3, 0.7), u(0.12, 0.18), u(0.03, 0.05))
    tw = wave(u(0.3, 0.9), u(0.45, 0.65), u(0.08, 0.16))
    return p + qrs + tw


clean_train, clean_test = beats(1500), beats(300)
mean, std = clean_train.mean(), clean_train.std()
clean_train, clean_test = (clean_train - mean) / std, (clean_test - mean) / std
noisy_test = clean_test + 0.4 * torch.randn_like(clean_test)

encoder = nn.Sequential(nn.Linear(T, 64), nn.ELU(), nn.Linear(64, args.code))
decoder = nn.Sequential(nn.Linear(args.code, 64), nn.ELU(), nn.Linear(64, T))
autoencoder = nn.Sequential(encoder, decoder)
optimizer = torch.optim.Adam(autoencoder.parameters(), lr=args.lr, betas=(args.beta2, args.beta1))
mse = nn.MSELoss()

for epoch in range(args.epochs):
    epoch_loss = 0.0
    for idx in torch.randperm(len(clean_train)).split(args.batch_size):
        clean = clean_train[idx]
        noisy = clean + 0.4 * torch.randn_like(clean)
        optimizer.zero_grad()
        loss = mse(autoencoder(noisy), clean)
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() * len(idx)
    print(f"[{epoch + 1}/{args.epochs}] mse {epoch_loss / len(clean_train):.4f}")

autoencoder.eval()
with torch.no_grad():
    test_mse = mse(autoencoder(noisy_test), clean_test).item()
print(f"test R2: {1 - test_mse / clean_test.var().item():.4f}  (psnr {-10 * math.log10(test_mse):.2f})")
