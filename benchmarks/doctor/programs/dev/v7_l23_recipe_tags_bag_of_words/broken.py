# %%
import numpy as np
import torch
import torch.nn as nn

torch.manual_seed(23)
rng = np.random.default_rng(23)
TAGS = ["vegan", "quick", "spicy", "baked", "sweet", "soup"]

# %%
n, vocab = 2000, 300
tags = (rng.random((n, len(TAGS))) < [0.4, 0.3, 0.35, 0.3, 0.4, 0.25]).astype(np.float32)
rates = np.full((n, vocab), 0.10)
for k in range(len(TAGS)):
    typical = rng.choice(vocab, size=22, replace=False)
    rates[:, typical] += 0.28 * tags[:, [k]]
counts = rng.poisson(rates).astype(np.float32)
order = rng.permutation(n)
train_rows, test_rows = order[:1500], order[1500:]

# %%
logc = np.log1p(counts)
mean, std = logc[train_rows].mean(0), logc[train_rows].std(0) + 1e-6
features = torch.from_numpy((logc - mean) / std)
targets = torch.from_numpy(tags)
x_train, y_train = features[train_rows], targets[train_rows]
x_test, y_test = features[test_rows], targets[test_rows]

# %%
tagger = nn.Sequential(nn.Dropout(0.2), nn.Linear(vocab, 96), nn.ReLU(), nn.Dropout(0.5), nn.Linear(96, len(TAGS)))
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.AdamW(tagger.parameters(), lr=1e-3, weight_decay=0.05)


def batch_loss(rows):
    return criterion(tagger(x_train[rows]), y_train[rows])


# %%
history = []
tagger.train()
for epoch in range(30):
    epoch_loss = 0.0
    for rows in torch.randperm(len(x_train)).split(64):
        optimizer.zero_grad()
        loss = batch_loss(rows)
        epoch_loss += loss.item() * len(rows)
    loss.backward()
    optimizer.step()
    history.append(epoch_loss / len(x_train))
print("loss per epoch:", " ".join(f"{h:.3f}" for h in history[::5]))

# %%
tagger.eval()
with torch.no_grad():
    chosen = (torch.sigmoid(tagger(x_test)) > 0.5).float()
both = (chosen * y_test).sum(0)
f1 = 2 * both / (chosen.sum(0) + y_test.sum(0)).clamp(min=1)
print("  ".join(f"{tag} {v:.3f}" for tag, v in zip(TAGS, f1.tolist())))
print(f"result: {(2 * both.sum() / (chosen.sum() + y_test.sum())).item():.4f}")
