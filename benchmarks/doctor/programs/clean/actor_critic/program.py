import random
from collections import namedtuple

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.distributions import Categorical

SavedAction = namedtuple("SavedAction", ["log_prob", "value"])


class Ledge:
    """Stay near the middle: each push left or right, gusts disturb."""

    def reset(self):
        self.x, self.v, self.t = random.uniform(-0.3, 0.3), 0.0, 0
        return [self.x, self.v]

    def step(self, action):
        self.v += (0.1 if action == 1 else -0.1) + random.gauss(0, 0.05) + 0.15 * self.x
        self.x += self.v
        self.t += 1
        return [self.x, self.v], 1.0, abs(self.x) > 1 or self.t >= 40


class Policy(nn.Module):
    def __init__(self):
        super().__init__()
        self.affine = nn.Linear(2, 32)
        self.action_head = nn.Linear(32, 2)
        self.value_head = nn.Linear(32, 1)
        self.saved_actions = []
        self.rewards = []

    def forward(self, x):
        x = F.relu(self.affine(x))
        return F.softmax(self.action_head(x), dim=-1), self.value_head(x)


random.seed(543)
torch.manual_seed(543)
env, model = Ledge(), Policy()
optimizer = optim.Adam(model.parameters(), lr=1e-2)


def select_action(state):
    probs, value = model(torch.tensor(state))
    m = Categorical(probs)
    action = m.sample()
    model.saved_actions.append(SavedAction(m.log_prob(action), value))
    return action.item()


def finish_episode(gamma=0.97):
    R, returns, policy_losses, value_losses = 0, [], [], []
    for r in model.rewards[::-1]:
        R = r + gamma * R
        returns.insert(0, R)
    returns = torch.tensor(returns) / 20
    for (log_prob, value), R in zip(model.saved_actions, returns):
        advantage = R - value.item()
        policy_losses.append(-log_prob * advantage)
        value_losses.append(F.smooth_l1_loss(value, torch.tensor([R])))
    optimizer.zero_grad()
    loss = torch.stack(policy_losses).sum() + torch.stack(value_losses).sum()
    loss.backward()
    optimizer.step()
    model.rewards.clear()
    model.saved_actions.clear()
    return loss.item()


running = 5.0
for episode in range(1, 121):
    state, done, length = env.reset(), False, 0
    while not done:
        state, reward, done = env.step(select_action(state))
        model.rewards.append(reward)
        length += 1
    loss = finish_episode()
    running = 0.05 * length + 0.95 * running
    if episode % 30 == 0:
        print(f"Episode {episode} loss {loss:.6f} average length {running:.2f}")

lengths = []
with torch.no_grad():
    for _ in range(20):
        state, done = env.reset(), False
        while not done:
            probs, _ = model(torch.tensor(state))
            state, _, done = env.step(int(probs.argmax()))
        lengths.append(env.t)
print(f"result: {sum(lengths) / len(lengths) / 40:.4f}")
