import torch

torch.manual_seed(9)
weights = torch.randn(8)
rows = torch.randn(1000, 8)
chance = torch.sigmoid(2 * rows @ weights)
label = torch.bernoulli(chance)
X_train, X_test = rows[:800], rows[800:]
y_train, y_test = label[:800], label[800:]

model = torch.nn.Linear(8, 1)
optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=8)
loss_fn = torch.nn.BCEWithLogitsLoss()


def closure():
    optimizer.zero_grad()
    out = model(X_train).squeeze(1)
    loss = loss_fn(out, y_train)
    loss.backward()
    return loss


for step in range(10):
    loss = optimizer.step(closure)
    print(f"step {step} loss {loss.item():.6f}")

with torch.no_grad():
    predicted = (model(X_test).squeeze(1) > 0).float()
print(f"result: {(predicted == y_test).float().mean().item():.4f}")
