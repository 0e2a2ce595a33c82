"""REINFORCE on a small vectorised world: walk on a 6x6 board to the treasure."""
import torch
from torch import nn
from torch.distributions import Categorical

SIZE, HORIZON = 6, 12
MOVES = torch.tensor([[-1, 0], [1, 0], [0, -1], [0, 1]])


def reset(n, gen):
    walker = torch.randint(0, SIZE, (n, 2), generator=gen)
    treasure = torch.randint(0, SIZE, (n, 2), generator=gen)
    return walker, treasure


def observe(walker, treasure):
    return torch.cat([walker, treasure - walker], dim=1).float() / SIZE


def advance(walker, treasure, action):
    moved = (walker + MOVES[action]).clamp(0, SIZE - 1)
    gain = (walker - treasure).abs().sum(1) - (moved - treasure).abs().sum(1)
    return moved, gain.float() - 0.1


def play(policy, n, gen):
    """One episode on n boards at once; returns log-probabilities and rewards, both (HORIZON, n)."""
    walker, treasure = reset(n, gen)
    log_probs, rewards = [], []
    for _ in range(HORIZON):
        choice = Categorical(logits=policy(observe(walker, treasure)))
        action = choice.sample()
        walker, reward = advance(walker, treasure, action)
        log_probs.append(choice.log_prob(action))
        rewards.append(reward)
    return torch.stack(log_probs), torch.stack(rewards)


def discounted(rewards, gamma=0.6):
    returns = torch.zeros_like(rewards)
    running = torch.zeros(rewards.shape[1])
    for t in reversed(range(HORIZON)):
        running = rewards[t] + gamma * running
        returns[t] = running
    return (returns - returns.mean()) / (returns.std() + 1e-8)


def train(policy, iterations, gen):
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
    for i in range(iterations):
        log_probs, rewards = play(policy, 64, gen)
        loss = -(log_probs * discounted(rewards)).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(policy.parameters(), max_norm=1.0)
        optimizer.step()
        if i % 25 == 0:
            print(f"iteration {i:3d}: reward per episode {rewards.sum(0).mean().item():.3f}")


@torch.no_grad()
def success_rate(policy, n, gen):
    walker, treasure = reset(n, gen)
    found = (walker == treasure).all(1)
    for _ in range(HORIZON):
        action = policy(observe(walker, treasure)).argmax(1)
        walker, _ = advance(walker, treasure, action)
        found |= (walker == treasure).all(1)
    return found.float().mean().item()


def main():
    torch.manual_seed(9)
    policy = nn.Sequential(nn.Linear(4, 48), nn.Tanh(), nn.Linear(48, 4))
    train(policy, 150, torch.Generator().manual_seed(9))
    print(f"result: {success_rate(policy, 1000, torch.Generator().manual_seed(10)):.4f}")


if __name__ == "__main__":
    main()
