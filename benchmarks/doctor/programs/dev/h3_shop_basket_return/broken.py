# %%
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

rng = np.random.default_rng(3)
torch.manual_seed(3)

# %%
N = 3000
price = rng.gamma(2.0, 30.0, N)
items = rng.integers(1, 9, N)
days_since_last = rng.poisson(rng.gamma(2.0, 9.0, N))
discount = rng.uniform(0, 0.6, N)
sizes_of_one_item = rng.integers(1, 4, N)

score = (
    1.6 * (sizes_of_one_item - 2)
    + 0.9 * (np.sqrt(price) - 7.2) / 2.5
    - 1.1 * (np.sqrt(days_since_last) - 3.9) / 1.8
    - 2.0 * (discount - 0.3)
    + 0.25 * (items - 4) * (sizes_of_one_item - 2)
)
sent_back = (score + rng.logistic(0, 0.35, N) > 0).astype(np.int64)
print("share sent back:", round(float(sent_back.mean()), 3))

# %%
table = np.stack(
    [np.log1p(price), items, np.log(days_since_last), discount, sizes_of_one_item],
    axis=1,
)
train_rows, test_rows = table[:2400], table[2400:]
middle = np.median(train_rows, axis=0)
spread = np.quantile(train_rows, 0.75, axis=0) - np.quantile(train_rows, 0.25, axis=0)


def to_inputs(rows):
    return torch.tensor((rows - middle) / spread, dtype=torch.float32)


X_train, X_test = to_inputs(train_rows), to_inputs(test_rows)
y_train, y_test = torch.from_numpy(sent_back[:2400]), torch.from_numpy(sent_back[2400:])

# %%
net = nn.Sequential(nn.Linear(5, 256), nn.GELU(), nn.Linear(256, 256), nn.GELU(), nn.Linear(256, 2))
opt = torch.optim.AdamW(net.parameters(), lr=1e-3)

# %%
BATCH = 120
for epoch in range(1, 31):
    order = torch.randperm(len(X_train))
    losses = []
    for part in order.split(BATCH):
        logits = net(X_train[part])
        loss = F.cross_entropy(logits, y_train[part])
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    if epoch % 5 == 0:
        print(f"epoch {epoch}: loss {np.mean(losses):.6f}")

# %%
net.eval()
with torch.no_grad():
    guessed = net(X_test).argmax(dim=-1)
print("result: %.4f" % (guessed == y_test).double().mean().item())
