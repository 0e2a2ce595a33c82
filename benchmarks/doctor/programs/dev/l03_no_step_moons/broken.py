# Two half moons, told apart by a small network
import math
import torch

torch.manual_seed(42)

n = 1000
theta = torch.rand(n) * math.pi
upper = torch.stack((torch.cos(theta), torch.sin(theta)), dim=1)
lower = torch.stack((1 - torch.cos(theta), 0.5 - torch.sin(theta)), dim=1)
X = torch.cat((upper, lower)) + 0.1 * torch.randn(2 * n, 2)
Y = torch.cat((torch.zeros(n), torch.ones(n)))[:, None]

shuffled = torch.randperm(2 * n)
X, Y = X[shuffled], Y[shuffled]
X_train, X_test = X[:1500], X[1500:]
Y_train, Y_test = Y[:1500], Y[1500:]

model = torch.nn.Sequential(
    torch.nn.Linear(2, 24),
    torch.nn.ReLU(),
    torch.nn.Linear(24, 24),
    torch.nn.ReLU(),
    torch.nn.Linear(24, 1),
)
bce = torch.nn.BCEWithLogitsLoss()
opt = torch.optim.SGD(model.parameters(), lr=0.5)

for epoch in range(20):
    model.train()
    epoch_loss = 0.0
    for i in range(0, 1500, 100):
        opt.zero_grad()
        loss = bce(model(X_train[i:i + 100]), Y_train[i:i + 100])
        loss.backward()
        epoch_loss += loss.item() / 15
    if epoch % 5 == 4:
        print(f"{epoch + 1:3d} {epoch_loss:.6f}")

model.eval()
with torch.no_grad():
    accuracy = ((model(X_test) > 0) == (Y_test > 0.5)).float().mean().item()
print(f"result: {accuracy:.4f}")
