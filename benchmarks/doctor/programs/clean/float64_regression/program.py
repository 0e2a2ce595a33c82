import numpy as np
import torch

rng = np.random.default_rng(6)
torch.manual_seed(6)
x = np.sort(rng.uniform(-1, 1, 400))
y = np.exp(x) * np.cos(3 * x) + rng.normal(0, 0.02, 400)
pick = rng.permutation(400)
features = torch.from_numpy(np.polynomial.chebyshev.chebvander(x, 9)[pick])
target = torch.from_numpy(y[pick])

model = torch.nn.Linear(10, 1, bias=False, dtype=torch.float64)
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
for epoch in range(20):
    total = 0.0
    for start in range(0, 300, 30):
        out = model(features[start:start + 30]).squeeze(1)
        loss = torch.nn.functional.mse_loss(out, target[start:start + 30])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() / 10
    if epoch % 4 == 3:
        print(f"epoch {epoch + 1} loss {total:.6f}")
with torch.no_grad():
    error = (model(features[300:]).squeeze(1) - target[300:]).pow(2).mean()
print(f"result: {(1 - error / target[300:].var()).item():.4f}")
