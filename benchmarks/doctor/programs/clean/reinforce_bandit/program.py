import torch
from torch import nn
from torch.distributions import Categorical

torch.manual_seed(14)
context_size, arms = 5, 4
taste = torch.randn(context_size, arms)


def pull(context, arm):
    chance = torch.sigmoid(2.5 * (context @ taste).gather(1, arm[:, None]).squeeze(1))
    return torch.bernoulli(chance)


policy = nn.Sequential(nn.Linear(context_size, 32), nn.Tanh(), nn.Linear(32, arms))
optimizer = torch.optim.Adam(policy.parameters(), lr=0.01)
baseline = 0.0
for episode in range(200):
    context = torch.randn(64, context_size)
    dist = Categorical(logits=policy(context))
    arm = dist.sample()
    reward = pull(context, arm)
    advantage = reward - baseline
    baseline = 0.9 * baseline + 0.1 * reward.mean().item()
    loss = -(dist.log_prob(arm) * advantage).mean() - 0.01 * dist.entropy().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if episode % 50 == 49:
        print(f"episode {episode + 1} loss {loss.item():.6f} average reward {baseline:.3f}")

with torch.no_grad():
    context = torch.randn(2000, context_size)
    average = pull(context, policy(context).argmax(dim=1)).mean().item()
print(f"result: {average:.4f}")
