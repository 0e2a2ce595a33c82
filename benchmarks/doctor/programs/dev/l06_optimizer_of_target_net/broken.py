"""DQN on a slippery 5 x 5 grid with pits."""
import random
from collections import deque, namedtuple

import torch
import torch.nn as nn
import torch.nn.functional as F

Transition = namedtuple("Transition", "state action reward next_state done")
SIZE, GAMMA = 5, 0.9
MOVES = [(0, 1), (0, -1), (1, 0), (-1, 0)]
PITS = {(1, 3), (3, 1)}
GOAL = (4, 4)


class Grid:
    def __init__(self, rnd):
        self.rnd = rnd

    def reset(self, cell=(0, 0)):
        self.cell, self.t = cell, 0
        return self.observe()

    def observe(self):
        one_hot = torch.zeros(2 * SIZE)
        one_hot[self.cell[0]] = 1.0
        one_hot[SIZE + self.cell[1]] = 1.0
        return one_hot

    def step(self, action):
        if self.rnd.random() < 0.05:
            action = self.rnd.randrange(4)
        dy, dx = MOVES[action]
        self.cell = (min(max(self.cell[0] + dy, 0), SIZE - 1), min(max(self.cell[1] + dx, 0), SIZE - 1))
        self.t += 1
        if self.cell == GOAL:
            return self.observe(), 1.0, True
        if self.cell in PITS:
            return self.observe(), -1.0, True
        return self.observe(), -0.01, False


class ReplayMemory:
    def __init__(self, capacity, rnd):
        self.memory, self.rnd = deque(maxlen=capacity), rnd

    def push(self, *args):
        self.memory.append(Transition(*args))

    def sample(self, n):
        batch = Transition(*zip(*self.rnd.sample(self.memory, n)))
        return (torch.stack(batch.state), torch.tensor(batch.action), torch.tensor(batch.reward),
                torch.stack(batch.next_state), torch.tensor(batch.done, dtype=torch.float32))


def make_q_net():
    return nn.Sequential(nn.Linear(2 * SIZE, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, len(MOVES)))


def optimize_model(policy_net, target_net, memory, optimizer, batch_size=64):
    state, action, reward, next_state, done = memory.sample(batch_size)
    q = policy_net(state).gather(1, action[:, None]).squeeze(1)
    with torch.no_grad():
        expected = reward + GAMMA * (1 - done) * target_net(next_state).amax(1)
    loss = F.smooth_l1_loss(q, expected)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def greedy_return(policy_net, env, episodes=60):
    total = 0.0
    for _ in range(episodes):
        state, done = env.reset(), False
        while not done and env.t < 30:
            with torch.no_grad():
                action = policy_net(state).argmax().item()
            state, reward, done = env.step(action)
            total += reward
    return total / episodes


def main():
    torch.manual_seed(23)
    rnd = random.Random(23)
    env, memory = Grid(rnd), ReplayMemory(4000, rnd)
    policy_net, target_net = make_q_net(), make_q_net()
    target_net.load_state_dict(policy_net.state_dict())
    optimizer = torch.optim.Adam(target_net.parameters(), lr=2e-3)

    state, losses = env.reset(), []
    for step in range(1, 3001):
        epsilon = max(0.2, 1.0 - step / 1500)
        if rnd.random() < epsilon:
            action = rnd.randrange(len(MOVES))
        else:
            with torch.no_grad():
                action = policy_net(state).argmax().item()
        next_state, reward, done = env.step(action)
        memory.push(state, action, reward, next_state, done)
        state = next_state
        if done or env.t >= 30:
            free = [(r, c) for r in range(SIZE) for c in range(SIZE) if (r, c) not in PITS | {GOAL}]
            state = env.reset(rnd.choice(free))
        if len(memory.memory) >= 200:
            losses.append(optimize_model(policy_net, target_net, memory, optimizer))
        if step % 50 == 0:
            target_net.load_state_dict(policy_net.state_dict())
        if step % 500 == 0:
            print(f"step {step}  td loss {sum(losses[-200:]) / 200:.5f}")

    print(f"greedy return {greedy_return(policy_net, Grid(random.Random(24))):.4f}")


if __name__ == "__main__":
    main()
