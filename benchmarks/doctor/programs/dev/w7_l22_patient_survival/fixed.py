# time to relapse with censoring: a risk network trained on the Cox partial likelihood
import torch
from torch import nn

torch.manual_seed(14)
gen = torch.Generator().manual_seed(14)


def cohort(n):
    x = torch.randn(n, 10, generator=gen)
    risk = 1.5 * torch.tanh(x[:, 0] * 1.5) + 0.8 * x[:, 1] ** 2 - x[:, 2] * (x[:, 3] > 0)
    onset = -torch.log(torch.rand(n, generator=gen).clamp(min=1e-6)) / torch.exp(risk)
    leaves = 3 * torch.rand(n, generator=gen)
    return x, torch.minimum(onset, leaves), onset <= leaves


x, time, event = cohort(2000)
x_test, time_test, event_test = cohort(1000)
mean, std = x.mean(0), x.std(0)
x, x_test = (x - mean) / std, (x_test - mean) / std


def partial_likelihood(score, t, seen):
    order = t.argsort(descending=True)
    score, seen = score[order], seen[order]
    log_at_risk = torch.logcumsumexp(score, 0)
    return (score - log_at_risk)[seen].mean()


def concordance(score, t, seen):
    earlier = (t[:, None] < t[None, :]) & seen[:, None]
    right = (score[:, None] > score[None, :]) & earlier
    return (right.sum() / earlier.sum()).item()


net = nn.Sequential(nn.Linear(10, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, weight_decay=1e-4)

for epoch in range(10):
    net.train()
    values = []
    for idx in torch.randperm(len(x)).split(100):
        loss = -partial_likelihood(net(x[idx]).squeeze(1), time[idx], event[idx])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        values.append(loss.item())
    print(f"epoch {epoch}: loss {sum(values) / len(values):.3f}")

net.eval()
with torch.no_grad():
    c_index = concordance(net(x_test).squeeze(1), time_test, event_test)
print(f"result: {c_index:.4f}")
