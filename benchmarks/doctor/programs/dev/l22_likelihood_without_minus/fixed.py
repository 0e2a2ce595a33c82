import torch
from torch import nn
from torch.distributions import Normal

torch.manual_seed(61)

x = torch.rand(1500, 2) * 4 - 2
y = torch.sin(2 * x[:, 0]) + 0.5 * x[:, 1] + 0.2 * torch.randn(1500)
x_train, y_train, x_test, y_test = x[:1200], y[:1200], x[1200:], y[1200:]

mean_net = nn.Sequential(nn.Linear(2, 40), nn.Tanh(), nn.Linear(40, 1), nn.Flatten(0))
log_std = nn.Parameter(torch.zeros(()))
optimizer = torch.optim.Adam([*mean_net.parameters(), log_std], lr=0.01)

for epoch in range(8):
    total = 0.0
    for rows in torch.randperm(1200).split(40):
        optimizer.zero_grad()
        distribution = Normal(mean_net(x_train[rows]), log_std.clamp(-3, 3).exp())
        loss = -distribution.log_prob(y_train[rows]).mean()
        loss.backward()
        optimizer.step()
        total += loss.item() / 30
    print(f"epoch {epoch} loss {total:.6f} std {log_std.exp().item():.4f}")

with torch.no_grad():
    error = (mean_net(x_test) - y_test).square().mean() / y_test.var(unbiased=False)
print(f"result: {1 - error.item():.4f}")
