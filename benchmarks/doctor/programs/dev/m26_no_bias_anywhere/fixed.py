# %%
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(26)

# %%
# five measures of a penguin, standardised; how much does it catch in a day, against the mean?
body = torch.randn(1500, 5)
catch = body @ torch.tensor([0.5, -0.3, 0.0, 0.4, 0.2]) + 0.4 * torch.sin(2 * body[:, 1]) + 0.1 * torch.randn(1500)
catch = catch.reshape(-1, 1)

body_train, body_test = body[:1200], body[1200:]
catch_train, catch_test = catch[:1200], catch[1200:]

# %%
class Catch(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(5, 32)
        self.b = nn.Linear(32, 32)
        self.c = nn.Linear(32, 1)

    def forward(self, x):
        return self.c(torch.tanh(self.b(torch.tanh(self.a(x)))))


net = Catch()
opt = torch.optim.Adam(net.parameters(), lr=0.01)

# %%
for epoch in range(10):
    permutation = torch.randperm(1200)
    summed = 0.0
    for k in range(0, 1200, 50):
        rows = permutation[k:k + 50]
        opt.zero_grad()
        loss = F.mse_loss(net(body_train[rows]), catch_train[rows])
        loss.backward()
        opt.step()
        summed += loss.item() * 50
    print(f"epoch {epoch}: {summed / 1200:.6f}")

# %%
with torch.no_grad():
    left = F.mse_loss(net(body_test), catch_test)
r2 = 1 - left / catch_test.var(correction=0)
print(f"result: {r2:.4f}")
