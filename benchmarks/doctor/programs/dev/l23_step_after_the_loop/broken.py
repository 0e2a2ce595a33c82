import torch
import torch.nn as nn
from torch.utils.data import TensorDataset, DataLoader

torch.manual_seed(2)

# --- data: will the customer cancel? -------------------------------------
N = 1200
months = torch.randint(1, 72, (N,)).float()
bill = 20 + 100 * torch.rand(N)
calls = torch.poisson(torch.full((N,), 2.0))
contract = torch.randint(0, 3, (N,))
score = 1.1 - 0.05 * months + 0.018 * bill + 0.45 * calls - 1.2 * contract
cancel = (torch.rand(N) < torch.sigmoid(1.5 * score)).float()

numbers = torch.stack([months, bill, calls], dim=1)
kind = nn.functional.one_hot(contract, 3).float()
n_train = 900
m, s = numbers[:n_train].mean(0), numbers[:n_train].std(0)
X = torch.cat([(numbers - m) / s, kind], dim=1)
y = cancel.unsqueeze(1)

train_loader = DataLoader(TensorDataset(X[:n_train], y[:n_train]), batch_size=100, shuffle=True)
X_test, y_test = X[n_train:], y[n_train:]

# --- model ---------------------------------------------------------------
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)

# --- training ------------------------------------------------------------
for epoch in range(60):
    model.train()
    epoch_loss = 0.0
    for inputs, labels in train_loader:
        optimizer.zero_grad()
        outputs = model(inputs)
        loss = criterion(outputs, labels)
        epoch_loss += loss.item()
    loss.backward()
    optimizer.step()
    if epoch % 10 == 9:
        print("Epoch %d loss %.4f" % (epoch + 1, epoch_loss / len(train_loader)))

# --- test ----------------------------------------------------------------
model.eval()
with torch.no_grad():
    p = torch.sigmoid(model(X_test))
    acc = ((p > 0.5).float() == y_test).float().mean().item()
print("Test accuracy: %.4f" % acc)
