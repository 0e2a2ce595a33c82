import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(3)
centers = torch.randn(4, 6) * 2
y_all = torch.randint(0, 4, (1200,))
x_all = centers[y_all] + torch.randn(1200, 6)
x_train, y_train, x_test, y_test = x_all[:900], y_all[:900], x_all[900:], y_all[900:]

device = "cuda" if torch.cuda.is_available() else "cpu"
def one_epoch(model, loader, optimizer):
    for x, y in loader:
        model.to(device)
        x, y = x.to(device), y.to(device)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
    return loss.item()
model = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 4)).to(device)
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
loader = DataLoader(TensorDataset(x_train, y_train), batch_size=30, shuffle=True)
for epoch in range(4):
    print(epoch, one_epoch(model, loader, optimizer))
with torch.no_grad():
    print(f"result: {(model(x_test.to(device)).argmax(1) == y_test.to(device)).float().mean():.4f}")
