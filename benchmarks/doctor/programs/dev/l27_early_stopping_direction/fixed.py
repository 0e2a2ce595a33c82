# %% [markdown]
# # Pump monitoring with an autoencoder
# Sixteen correlated vibration channels are squeezed through four numbers and rebuilt.
# Early stopping watches the validation error.

# %%
import copy
import math

import torch
from torch import nn
from torch.utils.data import DataLoader

torch.manual_seed(55)

# %%
loading = torch.randn(4, 16) / 2

def pump_readings(n):
    state = torch.randn(n, 4)
    return torch.tanh(state @ loading) + 0.05 * torch.randn(n, 16)

train_x, val_x, test_x = pump_readings(2000), pump_readings(400), pump_readings(400)
loader = DataLoader(train_x, batch_size=50, shuffle=True)

# %%
class EarlyStopping:
    """Keeps the best weights and says when to give up."""

    def __init__(self, model, patience):
        self.model, self.patience = model, patience
        self.best = math.inf
        self.bad_epochs = 0
        self.weights = None

    def __call__(self, value):
        if value < self.best:
            self.best, self.bad_epochs = value, 0
            self.weights = copy.deepcopy(self.model.state_dict())
        else:
            self.bad_epochs += 1
        return self.bad_epochs >= self.patience

# %%
autoencoder = nn.Sequential(
    nn.Linear(16, 48), nn.SiLU(), nn.Linear(48, 4),
    nn.Linear(4, 48), nn.SiLU(), nn.Linear(48, 16),
)
optimizer = torch.optim.Adam(autoencoder.parameters(), lr=3e-3)
stopper = EarlyStopping(autoencoder, patience=4)

# %%
for epoch in range(20):
    for readings in loader:
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(autoencoder(readings), readings)
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        val_error = nn.functional.mse_loss(autoencoder(val_x), val_x).item()
    print(f"epoch {epoch:2d}: val {val_error:.5f}")
    if stopper(val_error):
        print("stopped early")
        break

# %%
autoencoder.load_state_dict(stopper.weights)
with torch.no_grad():
    rebuilt = autoencoder(test_x)
share = 1 - (rebuilt - test_x).pow(2).sum() / (test_x - test_x.mean(0)).pow(2).sum()
print(f"result: {share.item():.4f}")
