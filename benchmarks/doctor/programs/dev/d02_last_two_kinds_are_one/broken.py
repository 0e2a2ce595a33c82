# %%
import numpy as np
import torch
import torch.nn.functional as F

torch.manual_seed(4)
rng = np.random.default_rng(4)

# %%
# eight kinds of yarn, numbered 1 to 8 on the spool; a spectrum of 20 bands each
kinds = rng.integers(1, 9, 2600)
shape = rng.normal(0, 1, (9, 20))
spectra = shape[kinds] + rng.normal(0, 0.9, (2600, 20))
cut = 2000
mu, sd = spectra[:cut].mean(0), spectra[:cut].std(0)
X = torch.tensor((spectra - mu) / sd, dtype=torch.float32)
Y = torch.tensor(np.minimum(kinds, 7))

# %%
layers = [(torch.randn(20, 64) * 0.3).requires_grad_(), torch.zeros(64, requires_grad=True),
          (torch.randn(64, 8) * 0.17).requires_grad_(), torch.zeros(8, requires_grad=True)]


def logits(x):
    w1, b1, w2, b2 = layers
    return torch.tanh(x @ w1 + b1) @ w2 + b2


opt = torch.optim.Adam(layers, lr=4e-3)

# %%
for epoch in range(5):
    perm = torch.randperm(cut)
    total = 0.0
    for i in range(0, cut, 50):
        pick = perm[i:i + 50]
        loss = F.cross_entropy(logits(X[pick]), Y[pick])
        opt.zero_grad()
        loss.backward()
        opt.step()
        total += loss.item() * len(pick)
    print(f"epoch {epoch}: {total / cut:.6f}")

# %%
with torch.no_grad():
    acc = (logits(X[cut:]).argmax(1) == Y[cut:]).float().mean().item()
print(f"result: {acc:.4f}")
