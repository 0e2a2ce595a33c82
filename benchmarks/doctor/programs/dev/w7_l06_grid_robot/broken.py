import random

import torch
import torch.nn as nn
import torch.nn.functional as F

SIDE = 5
MOVES = torch.tensor([[0, 1], [0, -1], [1, 0], [-1, 0]])


def step(position, goal, action):
    moved = (position + MOVES[action]).clamp(0, SIDE - 1)
    done = (moved == goal).all(dim=1)
    return moved, done.float(), done


def observe(position, goal):
    """Where the robot is and where it has to go, scaled to -1 .. 1."""
    return torch.cat([position, goal], dim=1).float() / (SIDE - 1) * 2 - 1


def tasks_for(goals):
    return [((r, c), goal) for goal in goals for r in range(SIDE) for c in range(SIDE) if (r, c) != goal]


class Memory:
    def __init__(self, capacity):
        self.capacity, self.items = capacity, []

    def push(self, *columns):
        self.items.extend(zip(*columns))
        self.items = self.items[-self.capacity:]

    def sample(self, k):
        return [torch.stack(column) for column in zip(*random.sample(self.items, k))]


def q_network():
    return nn.Sequential(nn.Linear(4, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, len(MOVES)))


class Agent:
    def __init__(self, gamma=0.8, lr=2e-3):
        self.policy_net = q_network()
        self.target_net = q_network()
        self.target_net.load_state_dict(self.policy_net.state_dict())
        self.optimizer = torch.optim.Adam(self.target_net.parameters(), lr=lr)
        self.memory = Memory(8000)
        self.gamma = gamma

    @torch.no_grad()
    def act(self, obs, epsilon):
        best = self.policy_net(obs).argmax(1)
        explore = torch.rand(len(obs)) < epsilon
        return torch.where(explore, torch.randint(0, len(MOVES), (len(obs),)), best)

    def learn(self, batch=128):
        obs, action, reward, after, done = self.memory.sample(batch)
        value = self.policy_net(obs).gather(1, action.unsqueeze(1)).squeeze(1)
        with torch.no_grad():
            future = self.target_net(after).max(dim=1).values
            target = reward + self.gamma * future * (~done)
        loss = F.smooth_l1_loss(value, target)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def train(self, tasks, rounds=900, robots=16, sync=30):
        pick = lambda k: torch.tensor(random.choices(tasks, k=k))
        pairs = pick(robots)
        position, goal = pairs[:, 0], pairs[:, 1]
        for r in range(rounds):
            obs = observe(position, goal)
            action = self.act(obs, epsilon=max(0.2, 1.0 - r / 300))
            position, reward, done = step(position, goal, action)
            self.memory.push(obs, action, reward, observe(position, goal), done)
            fresh = done | (torch.rand(robots) < 0.05)
            new = pick(robots)
            position = torch.where(fresh[:, None], new[:, 0], position)
            goal = torch.where(fresh[:, None], new[:, 1], goal)
            if len(self.memory.items) >= 256:
                loss = self.learn()
            if r % sync == 0:
                self.target_net.load_state_dict(self.policy_net.state_dict())
            if r % 150 == 149:
                print(f"round {r + 1} td-loss {loss:.4f}")

    def success(self, tasks, limit=10):
        pairs = torch.tensor(tasks)
        position, goal = pairs[:, 0], pairs[:, 1]
        arrived = torch.zeros(len(pairs), dtype=torch.bool)
        for _ in range(limit):
            moved, _, done = step(position, goal, self.act(observe(position, goal), epsilon=0.0))
            position = torch.where(arrived[:, None], position, moved)
            arrived |= done
        return arrived.float().mean().item()


if __name__ == "__main__":
    random.seed(1)
    torch.manual_seed(1)
    goals = [(r, c) for r in range(SIDE) for c in range(SIDE)]
    random.shuffle(goals)
    agent = Agent()
    agent.train(tasks_for(goals[:20]))
    print(f"result: {agent.success(tasks_for(goals[20:])):.4f}")
