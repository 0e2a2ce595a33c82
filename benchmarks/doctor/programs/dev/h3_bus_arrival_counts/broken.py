# %%
import torch
from torch import nn

gen = torch.Generator().manual_seed(71)
torch.manual_seed(71)

# %%
# 3000 quarters of an hour: what is known of them, and how many buses came
known = torch.rand(3000, 18, generator=gen) * 2 - 1
pull = torch.randn(18, 4, generator=gen) / 4
rate = torch.exp(0.4 + torch.sin(2 * known @ pull).sum(dim=1) * 0.55)
buses = torch.poisson(rate, generator=gen)

known_train, buses_train, rate_train = known[:2400], buses[:2400], rate[:2400]
known_test, buses_test, rate_test = known[2400:], buses[2400:], rate[2400:]
buses_train.mean(), buses_train.max()


# %%
class ArrivalModel(nn.Module):
    """The logarithm of how many buses to expect."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(18, 420)
        self.deeper = nn.Linear(420, 420)
        self.log_rate = nn.Linear(420, 1)

    def forward(self, known):
        h = torch.tanh(self.hidden(known))
        h = torch.tanh(self.deeper(h))
        return self.log_rate(h).squeeze(-1)


# %%
model = ArrivalModel()
poisson = nn.PoissonNLLLoss(log_input=True)
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.92)

# %%
n_epochs, batch_size = 18, 75
for epoch in range(n_epochs):
    model.train()
    summed = 0.0
    for rows in torch.randperm(2400).view(-1, batch_size):
        expected = model(known_train[rows])
        loss = poisson(buses_train[rows], expected)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        summed += loss.item()
    scheduler.step()
    print(f"epoch {epoch + 1}  loss {summed * batch_size / 2400:.6f}")

# %%
# how much of the ups and downs of the buses is foreseen, on a logarithmic scale
model.eval()
with torch.no_grad():
    guess = model(known_test)
    truth = rate_test.log()
    result = 1 - (guess - truth).pow(2).mean() / (truth - truth.mean()).pow(2).mean()
print(f"result: {result.item():.4f}")
