import torch
import torch.nn.functional as F
from torch import nn


def bit_patterns(n, width=64, kinds=10):
    """Patterns of bits; each is a mixture of two motifs, then some bits flip."""
    motifs = torch.randint(0, 2, (kinds, width))
    a, b = torch.randint(kinds, (2, n))
    bits = motifs[a] | motifs[b]
    flips = (torch.rand(n, width) < 0.06).long()
    return (bits ^ flips).float()


def autoencoder(width=64, code=8):
    return nn.Sequential(
        nn.Linear(width, 48), nn.ReLU(), nn.Linear(48, code), nn.Tanh(),
        nn.Linear(code, 48), nn.ReLU(), nn.Linear(48, width),
    )


def train_one_epoch(net, bits, optimizer):
    net.train()
    total = 0.0
    for chunk in bits[torch.randperm(len(bits))].split(40):
        rebuilt = net(chunk)
        loss = F.binary_cross_entropy_with_logits(rebuilt, chunk)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(chunk)
    return total / len(bits)


def right_bits(net, bits):
    net.eval()
    with torch.no_grad():
        return ((net(bits) > 0) == (bits > 0.5)).float().mean().item()


torch.manual_seed(46)
bits = bit_patterns(2000)
train_bits, test_bits = bits[:1600], bits[1600:]
net = autoencoder()
optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
for epoch in range(6):
    print(f"epoch {epoch} loss {train_one_epoch(net, train_bits, optimizer):.6f}")
print(f"result: {right_bits(net, test_bits):.4f}")
