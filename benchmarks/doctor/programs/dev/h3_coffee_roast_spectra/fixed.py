# %%
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(100)
np.random.seed(100)

# %%
# absorption of ground coffee at 128 wave lengths; light, medium, dark, burnt
waves = np.linspace(0, 1, 128)
centres = np.array([0.30, 0.38, 0.46, 0.54])


def spectra(n):
    roast = np.random.randint(0, 4, n)
    peak = centres[roast] + np.random.normal(0, 0.032, n)
    lines = np.exp(-(((waves - peak[:, None]) / 0.12) ** 2))
    lines += 0.7 * np.exp(-(((waves - 0.8 + 0.1 * peak[:, None]) / 0.06) ** 2))
    lines *= np.random.uniform(0.7, 1.3, (n, 1))
    lines += np.random.normal(0, 0.12, (n, 128)) + np.random.normal(0, 0.2, (n, 1))
    return torch.tensor(lines, dtype=torch.float32), torch.tensor(roast)


train_ds = TensorDataset(*spectra(2560))
test_ds = TensorDataset(*spectra(700))
train_dl = DataLoader(train_ds, batch_size=128, shuffle=True)
test_dl = DataLoader(test_ds, batch_size=128)

# %%
model = nn.Sequential(
    nn.Linear(128, 320),
    nn.LayerNorm(320),
    nn.ReLU(),
    nn.Dropout(0.2),
    nn.Linear(320, 192),
    nn.ReLU(),
    nn.Linear(192, 4),
)
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4)
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=2e-3, epochs=26, steps_per_epoch=len(train_dl))
criterion = nn.CrossEntropyLoss()


# %%
def validate():
    model.eval()
    correct, total = 0, 0
    with torch.no_grad():
        for x, y in test_dl:
            guess = model(x).argmax(dim=1)
            correct += (guess == y).sum().item()
            total += len(y)
    return correct / total


# %%
for epoch in range(26):
    model.train()
    running = 0.0
    for x, y in train_dl:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        schedule.step()
        running += loss.item()
    print(f"epoch {epoch + 1}: train loss {running / len(train_dl):.6f}, test accuracy {validate():.4f}")

# %%
print(f"result: {validate():.4f}")
