# %%
import numpy as np
import pandas as pd
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(42)
rng = np.random.default_rng(42)
# %%
n = 3000
customers = pd.DataFrame({
    "tenure": rng.integers(1, 72, n),
    "charges": rng.normal(65, 20, n).round(2),
    "calls": rng.poisson(2.0, n),
    "contract": rng.choice(["month", "year", "two years"], n, p=[0.5, 0.3, 0.2]),
    "payment": rng.choice(["card", "transfer", "check"], n),
})
score = (1.2 - 0.08 * customers["tenure"] + 0.05 * (customers["charges"] - 65) + 0.9 * (customers["calls"] - 1)
         + customers["contract"].map({"month": 2.0, "year": -0.5, "two years": -2.5})
         + customers["payment"].map({"card": -0.4, "transfer": 0.0, "check": 0.8}))
customers["churn"] = np.where(score + rng.logistic(0, 0.6, n) > 0, "Yes", "No")
customers["churn"].value_counts(normalize=True)
# %%
table = pd.get_dummies(customers, dtype=float)
y = table["churn_Yes"]
X = table.drop(columns=["churn_Yes"])
test_rows = X.sample(frac=0.3, random_state=0).index
X_train, y_train = X.drop(index=test_rows), y.drop(index=test_rows)
X_test, y_test = X.loc[test_rows], y.loc[test_rows]
# %%
numeric = ["tenure", "charges", "calls"]
X_train, X_test = X_train.astype("float32"), X_test.astype("float32")
mean, std = X_train[numeric].mean(), X_train[numeric].std()
X_train[numeric] = (X_train[numeric] - mean) / std
X_test[numeric] = (X_test[numeric] - mean) / std

def to_dataset(features, labels):
    return TensorDataset(torch.tensor(features.values), torch.tensor(labels.values, dtype=torch.float32).unsqueeze(1))

train_dl = DataLoader(to_dataset(X_train, y_train), batch_size=64, shuffle=True)
test_dl = DataLoader(to_dataset(X_test, y_test), batch_size=300)
# %%
class ChurnNet(nn.Module):
    def __init__(self, inputs, hidden=192):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(inputs, hidden), nn.ReLU(), nn.Dropout(0.2),
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(0.2),
            nn.Linear(hidden, 1))

    def forward(self, x):
        return self.layers(x)

model = ChurnNet(X_train.shape[1])
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-4)
# %%
history = []
for epoch in range(10):
    model.train()
    epoch_loss = 0.0
    for xb, yb in train_dl:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item() * len(xb)
    history.append(epoch_loss / len(train_dl.dataset))
print([round(h, 4) for h in history])
# %%
model.eval()
right = 0
with torch.no_grad():
    for xb, yb in test_dl:
        right += ((model(xb) > 0).float() == yb).sum().item()
print(f"result: {right / len(test_dl.dataset):.4f}")
