import random
from collections import deque, namedtuple

import torch
import torch.nn as nn
import torch.optim as optim

Transition = namedtuple("Transition", ("state", "action", "next_state", "reward", "done"))


class Chain:
    """Rooms in a row; the prize is in the last one, a small one in the first."""

    rooms = 7

    def reset(self):
        self.at, self.t = self.rooms // 2, 0
        return self.at

    def step(self, action):
        move = 1 if action == 1 else -1
        if random.random() < 0.1:
            move = -move
        self.at = max(0, min(self.rooms - 1, self.at + move))
        self.t += 1
        reward = 1.0 if self.at == self.rooms - 1 else 0.1 if self.at == 0 else 0.0
        return self.at, reward, reward > 0 or self.t >= 30


class DQN(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(Chain.rooms, 24), nn.ReLU(), nn.Linear(24, 2))

    def forward(self, room):
        return self.net(nn.functional.one_hot(room, Chain.rooms).float())


class Agent:
    def __init__(self):
        self.policy_net, self.target_net = DQN(), DQN()
        self.target_net.load_state_dict(self.policy_net.state_dict())
        self.optimizer = optim.AdamW(self.policy_net.parameters(), lr=5e-3)
        self.memory = deque(maxlen=2000)

    def act(self, room, epsilon):
        if random.random() < epsilon:
            return random.randrange(2)
        with torch.no_grad():
            return int(self.policy_net(torch.tensor([room])).argmax(1))

    def learn(self, size=32, gamma=0.9, tau=0.05):
        if len(self.memory) < size:
            return 0.0
        batch = Transition(*map(torch.tensor, zip(*random.sample(self.memory, size))))
        values = self.policy_net(batch.state).gather(1, batch.action[:, None]).squeeze(1)
        with torch.no_grad():
            best = self.target_net(batch.next_state).max(1).values
        goal = batch.reward + gamma * best * (~batch.done)
        loss = nn.functional.smooth_l1_loss(values, goal)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(self.policy_net.parameters(), 100)
        self.optimizer.step()
        with torch.no_grad():
            for slow, quick in zip(self.target_net.parameters(), self.policy_net.parameters()):
                slow.mul_(1 - tau).add_(quick, alpha=tau)
        return loss.item()


random.seed(6)
torch.manual_seed(6)
env, agent = Chain(), Agent()
for episode in range(90):
    room, done, losses = env.reset(), False, []
    while not done:
        action = agent.act(room, epsilon=max(0.1, 1 - episode / 40))
        after, reward, done = env.step(action)
        agent.memory.append(Transition(room, action, after, reward, done))
        room = after
        losses.append(agent.learn())
    if episode % 30 == 29:
        print(f"episode {episode + 1} loss {sum(losses) / len(losses):.6f}")

gained = 0.0
for _ in range(100):
    room, done = env.reset(), False
    while not done:
        room, reward, done = env.step(agent.act(room, epsilon=0.0))
    gained += reward
print(f"result: {gained / 100:.4f}")
