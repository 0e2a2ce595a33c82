# %%
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

np.random.seed(2)
torch.manual_seed(2)

# %%
class StandardScaler:
    def fit(self, X):
        self.mean_, self.scale_ = X.mean(axis=0), X.std(axis=0)
        return self

    def transform(self, X):
        return ((X - self.mean_) / self.scale_).astype(np.float32)

def train_test_split(X, y, test_size):
    order = np.random.permutation(len(X))
    cut = int(len(X) * test_size)
    return X[order[cut:]], X[order[:cut]], y[order[cut:]], y[order[:cut]]

# %%
z = np.random.normal(size=(1500, 5))
X = z * [2, 11, 0.05, 1, 4] + [5, 40, 0.2, -3, 12]
y = (np.sin(2 * z[:, 0]) + z[:, 1] * z[:, 2] + 0.5 * z[:, 3] > 0).astype(np.int64)

# %%
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2)
scaler = StandardScaler().fit(X_train)
X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)

train_loader = DataLoader(TensorDataset(torch.from_numpy(X_train), torch.from_numpy(y_train)), batch_size=40, shuffle=True)

# %%
model = nn.Sequential(nn.Linear(5, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
loss_function = nn.CrossEntropyLoss()

for epoch in range(10):
    running = 0.0
    for inputs, targets in train_loader:
        optimizer.zero_grad()
        loss = loss_function(model(inputs), targets)
        loss.backward()
        optimizer.step()
        running += loss.item()
    print(f"Epoch {epoch + 1}: {running / len(train_loader):.6f}")

# %%
model.eval()
with torch.no_grad():
    y_hat = model(torch.from_numpy(X_test)).argmax(dim=1).numpy()
print(f"result: {np.mean(y_hat == y_test):.4f}")
