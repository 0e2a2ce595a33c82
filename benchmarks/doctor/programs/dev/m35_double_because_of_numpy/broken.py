import numpy as np
import torch
import torch.nn as nn

rng = np.random.default_rng(35)
torch.manual_seed(35)

# 20 readings that depend on 3 hidden causes
causes = rng.standard_normal((1500, 3))
readings = np.tanh(causes @ rng.standard_normal((3, 20))) + 0.05 * rng.standard_normal((1500, 20))

data = torch.from_numpy(readings)
train, test = data[:1200], data[1200:]

encoder = nn.Sequential(nn.Linear(20, 32), nn.ELU(), nn.Linear(32, 3))
decoder = nn.Sequential(nn.Linear(3, 32), nn.ELU(), nn.Linear(32, 20))
model = nn.Sequential(encoder, decoder).double()
loss_fn = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

for epoch in range(10):
    total = 0.0
    for batch in train[torch.randperm(1200)].split(40):
        optimizer.zero_grad()
        loss = loss_fn(model(batch), batch)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch + 1:2d}: reconstruction {total / 30:.6f}")

with torch.no_grad():
    rest = loss_fn(model(test), test)
    print(f"result: {1 - (rest / test.var()).item():.4f}")
