import torch
import torch.nn as nn
from torch.distributions import Categorical


class Harbour:
    """Sixteen ferries at once; each must stop at its pier against the current. Actions: back, idle, ahead."""

    LENGTH = 14

    def __init__(self, ferries, seed):
        self.ferries = ferries
        self.gen = torch.Generator().manual_seed(seed)

    def reset(self):
        self.place = torch.rand(self.ferries, generator=self.gen) * 2 - 1
        self.pier = torch.rand(self.ferries, generator=self.gen) * 2 - 1
        self.current = 0.1 * torch.rand(self.ferries, generator=self.gen) - 0.05
        return self.view()

    def view(self):
        return torch.stack([self.place - self.pier, self.place, 10 * self.current], dim=1)

    def step(self, action):
        self.place = self.place + 0.2 * (action - 1).float() + self.current
        return self.view(), -(self.place - self.pier).abs()


class Pilot(nn.Module):
    def __init__(self, gamma=0.8):
        super().__init__()
        self.brain = nn.Sequential(nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 3))
        self.gamma = gamma

    def forward(self, view):
        return Categorical(logits=self.brain(view))


class Reinforce:
    def __init__(self, pilot, harbour, lr=1e-2):
        self.pilot, self.harbour = pilot, harbour
        self.optimizer = torch.optim.Adam(pilot.parameters(), lr=lr)

    def sail(self):
        view = self.harbour.reset()
        logps, rewards = [], []
        for _ in range(self.harbour.LENGTH):
            policy = self.pilot(view)
            action = policy.sample()
            logps.append(policy.log_prob(action))
            view, reward = self.harbour.step(action)
            rewards.append(reward)
        return logps, rewards

    def returns(self, rewards):
        future, out = torch.zeros(self.harbour.ferries), []
        for reward in reversed(rewards):
            future = reward + self.pilot.gamma * future
            out.insert(0, future)
        return out

    def update(self):
        self.pilot.train()
        logps, rewards = self.sail()
        policy_loss = []
        for logp, future in zip(logps, self.returns(rewards)):
            advantage = (future - future.mean()) / (future.std() + 1e-6)
            policy_loss.append((-logp * advantage).mean().item())
        self.optimizer.zero_grad()
        loss = torch.tensor(policy_loss, requires_grad=True).mean()
        loss.backward()
        self.optimizer.step()
        return torch.stack(rewards).mean().item()

    @torch.no_grad()
    def exam(self, harbour):
        self.pilot.eval()
        view = harbour.reset()
        for _ in range(harbour.LENGTH):
            view, reward = harbour.step(self.pilot(view).probs.argmax(dim=1))
        return -reward.mean().item()


if __name__ == "__main__":
    torch.manual_seed(14)
    school = Reinforce(Pilot(), Harbour(ferries=16, seed=140))
    recent = 0.0
    for trip in range(1, 241):
        recent += school.update()
        if trip % 40 == 0:
            print(f"trip {trip}: mean reward {recent / 40:.3f}")
            recent = 0.0
    print(f"distance to the pier at the end, 500 new trips: {school.exam(Harbour(500, seed=7)):.4f}")
