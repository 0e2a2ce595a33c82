import torch
import torch.nn as nn


class DeepRegressor(nn.Module):
    def __init__(self, in_features, hidden, depth):
        super().__init__()
        self.inp = nn.Linear(in_features, hidden)
        self.hidden = []
        for _ in range(depth):
            self.hidden.append(nn.Linear(hidden, hidden))
        self.out = nn.Linear(hidden, 1)

    def forward(self, x):
        x = torch.tanh(self.inp(x))
        for layer in self.hidden:
            x = torch.tanh(layer(x))
        return self.out(x)


torch.manual_seed(77)
t = torch.arange(1300) / 10
signal = torch.sin(t) + 0.5 * torch.sin(2.7 * t) + 0.1 * torch.randn(1300)
window = 16
inputs = signal.unfold(0, window, 1)[:-1]
following = signal[window:].unsqueeze(1)

cut = 1000
model = DeepRegressor(window, 24, 3)
mse = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)

for epoch in range(12):
    order = torch.randperm(cut)
    total = 0.0
    for i in range(0, cut, 40):
        b = order[i:i + 40]
        loss = mse(model(inputs[b]), following[b])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(b)
    print(f"epoch {epoch}: mse {total / cut:.6f}")

# score on the later part of the signal: share of the variance explained
model.eval()
with torch.no_grad():
    rest = mse(model(inputs[cut + window:]), following[cut + window:]).item()
r2 = 1 - rest / following[cut + window:].var().item()
print(f"result: {r2:.4f}")
