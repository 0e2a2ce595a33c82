import torch
import torch.nn as nn
import torch.optim as optim


class LogisticRegression(nn.Module):
    def __init__(self, input_dim):
        super(LogisticRegression, self).__init__()
        self.linear = nn.Linear(input_dim, 1)

    def forward(self, x):
        return self.linear(x)


torch.manual_seed(100)
X = torch.randn(900, 7)
true_w = torch.tensor([1.5, -2.0, 0.0, 0.7, 0.0, 1.0, -0.4])
y = (X @ true_w + 0.4 * torch.randn(900) > 0).float()

X_train, X_test = X[:700], X[700:]
y_train, y_test = y[:700], y[700:]

model = LogisticRegression(7)
loss_function = nn.BCELoss()
optimizer = optim.SGD(model.parameters(), lr=0.2)

batch_size = 35
for epoch in range(6):
    total = 0.0
    permutation = torch.randperm(X_train.size(0))
    for i in range(0, X_train.size(0), batch_size):
        indices = permutation[i:i + batch_size]
        batch_x, batch_y = X_train[indices], y_train[indices]
        optimizer.zero_grad()
        y_hat = model(batch_x).squeeze(1)
        loss = loss_function(y_hat, batch_y)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(indices)
    print(f"epoch {epoch} | loss {total / 700:.6f}")

with torch.no_grad():
    labels = model(X_test).squeeze(1).round()
    print(f"result: {(labels == y_test).float().mean().item():.4f}")
