import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(4)

# Noisy spot prices of 30 days; the question is by how much the first marked day was dearer than the second.
DAYS, BATCH, STEPS = 30, 50, 600


def draw(n, generator):
    price = torch.rand(n, DAYS, generator=generator) * 2 - 1
    first = torch.randint(0, DAYS // 2, (n,), generator=generator)
    second = torch.randint(DAYS // 2, DAYS, (n,), generator=generator)
    rows = torch.arange(n)
    mark = torch.zeros(n, DAYS)
    mark[rows, first] = 1.0
    mark[rows, second] = -1.0
    answer = price[rows, first] - price[rows, second]
    return torch.stack([price, mark], dim=-1), answer


gen = torch.Generator().manual_seed(31)
x_train, y_train = draw(5000, gen)
x_test, y_test = draw(1000, gen)

rnn = nn.RNN(2, 64, nonlinearity="relu", batch_first=True)
nn.init.eye_(rnn.weight_hh_l0)
nn.init.zeros_(rnn.bias_hh_l0)
nn.init.zeros_(rnn.bias_ih_l0)
nn.init.normal_(rnn.weight_ih_l0, std=0.3)
readout = nn.Linear(64, 1)
weights = [*rnn.parameters(), *readout.parameters()]
optimizer = torch.optim.SGD(weights, lr=0.02, momentum=0.9)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=STEPS)

running = None
for step in range(STEPS):
    pick = torch.randint(0, len(x_train), (BATCH,))
    _, last = rnn(x_train[pick])
    loss = F.mse_loss(readout(last[0]).squeeze(1), y_train[pick])
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(weights, 1.0)
    optimizer.step()
    schedule.step()
    running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
    if step % 100 == 99:
        print(f"{step + 1} {running:.4f}")

with torch.no_grad():
    _, last = rnn(x_test)
    error = F.mse_loss(readout(last[0]).squeeze(1), y_test).item()
print(f"result: {error:.4f}")
