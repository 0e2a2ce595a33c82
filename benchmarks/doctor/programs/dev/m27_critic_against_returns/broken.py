# %% [markdown]
# Monte Carlo policy evaluation: learn V(s) of a windy corridor from played episodes.

# %%
import numpy as np
import torch
import torch.nn as nn

GAMMA = 0.95
rng = np.random.default_rng(45)
torch.manual_seed(45)


# %%
def play_episodes(count, horizon=30):
    """The agent drifts on [-1, 1]^2; reward is high near the goal and low in the swamp."""
    pos = rng.uniform(-1, 1, (count, 2))
    states, rewards = [], []
    for _ in range(horizon):
        states.append(pos)
        goal = np.exp(-((pos - 0.6) ** 2).sum(1) / 0.15)
        swamp = np.exp(-((pos + 0.5) ** 2).sum(1) / 0.2)
        rewards.append(goal - 0.7 * swamp + 0.05 * rng.normal(size=count))
        pos = np.clip(pos + 0.02 * (0.4 - pos) + 0.04 * rng.normal(size=(count, 2)), -1, 1)
    returns = np.zeros(count)
    for r in reversed(rewards):
        returns = r + GAMMA * returns
    return states[0], returns


states, returns = play_episodes(3000)
new_states, new_returns = play_episodes(800)
scale = returns.std()
S = torch.tensor(states, dtype=torch.float32)
G = torch.tensor(returns / scale, dtype=torch.float32)
S_new = torch.tensor(new_states, dtype=torch.float32)
G_new = torch.tensor(new_returns / scale, dtype=torch.float32)

# %%
critic = nn.Sequential(nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
opt = torch.optim.Adam(critic.parameters(), lr=5e-3)

# %%
for sweep in range(6):
    losses = []
    for rows in torch.randperm(len(S)).split(60):
        value = critic(S[rows])
        td = G[rows] - value
        loss = 0.5 * td.pow(2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    print(f"sweep {sweep}: critic loss {np.mean(losses):.4f}")

# %%
with torch.no_grad():
    guess = critic(S_new).squeeze(-1)
explained = 1 - (G_new - guess).pow(2).sum() / (G_new - G_new.mean()).pow(2).sum()
print(f"result: {explained.item():.4f}")
