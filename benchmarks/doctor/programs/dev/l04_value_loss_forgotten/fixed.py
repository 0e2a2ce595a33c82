"""Policy gradient with a learned baseline on a contextual bandit (which of four ads to show)."""
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Categorical

FEATURES, ADS = 6, 4


def make_world(seed):
    g = torch.Generator().manual_seed(seed)
    taste = torch.randn(FEATURES, ADS, generator=g)

    def contexts(n):
        return torch.randn(n, FEATURES)

    def click_value(s, a):
        scores = torch.softmax(s @ taste, dim=1)
        return scores.gather(1, a[:, None]).squeeze(1) + 0.1 * torch.randn(len(s))

    def best(s):
        return (s @ taste).argmax(dim=1)

    return contexts, click_value, best


def net(out):
    return nn.Sequential(nn.Linear(FEATURES, 32), nn.Tanh(), nn.Linear(32, out))


def train(contexts, click_value, rounds=300, batch=128):
    policy, critic = net(ADS), net(1)
    opt_pi = torch.optim.Adam(policy.parameters(), lr=1e-2)
    opt_v = torch.optim.Adam(critic.parameters(), lr=1e-2)
    for step in range(rounds):
        s = contexts(batch)
        dist = Categorical(logits=policy(s))
        a = dist.sample()
        r = click_value(s, a)
        baseline = critic(s).squeeze(1)
        advantage = r - baseline.detach()

        policy_loss = -(dist.log_prob(a) * advantage).mean()
        opt_pi.zero_grad()
        policy_loss.backward()
        opt_pi.step()

        value_loss = F.mse_loss(baseline, r)
        opt_v.zero_grad()
        value_loss.backward()
        opt_v.step()
        if step % 60 == 0:
            print(f"{step:4d} reward {r.mean():.3f} value loss {value_loss.item():.4f}")
    return policy


def main():
    torch.manual_seed(5)
    contexts, click_value, best = make_world(seed=77)
    policy = train(contexts, click_value)
    s = contexts(3000)
    with torch.no_grad():
        share = (policy(s).argmax(dim=1) == best(s)).float().mean().item()
    print(f"best ad chosen: {share:.4f}")


if __name__ == "__main__":
    main()
