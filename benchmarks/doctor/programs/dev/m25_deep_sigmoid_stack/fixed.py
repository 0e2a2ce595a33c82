import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class DeepNet(nn.Module):
    def __init__(self, n_in, n_out, width=32, depth=8):
        super().__init__()
        layers = []
        for i in range(depth):
            layers.append(nn.Linear(n_in if i == 0 else width, width))
            layers.append(nn.ReLU())
        layers.append(nn.Linear(width, n_out))
        self.net = nn.Sequential(*layers)

    def forward(self, x):
        return self.net(x)


torch.manual_seed(25)
centres = 2.0 * torch.randn(12, 5)
owner = torch.randint(0, 12, (2000,))
x = centres[owner] + 0.5 * torch.randn(2000, 5)
x = (x - x[:1600].mean(0)) / x[:1600].std(0)
y = owner % 4

loader = DataLoader(TensorDataset(x[:1600], y[:1600]), batch_size=40, shuffle=True)
model = DeepNet(5, 4)
opt = torch.optim.Adam(model.parameters(), lr=1.5e-3)
loss_fn = nn.CrossEntropyLoss()

for epoch in range(1, 11):
    total = 0.0
    for xb, yb in loader:
        opt.zero_grad()
        loss = loss_fn(model(xb), yb)
        loss.backward()
        opt.step()
        total += loss.item()
    print(f"epoch {epoch}: loss {total / len(loader):.6f}")

with torch.no_grad():
    score = (model(x[1600:]).argmax(1) == y[1600:]).float().mean()
print(f"result: {score.item():.4f}")
