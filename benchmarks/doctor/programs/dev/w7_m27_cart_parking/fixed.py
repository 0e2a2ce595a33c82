import copy

import torch
import torch.nn as nn

ACTIONS = torch.tensor([-1.0, 0.0, 1.0])
GAMMA = 0.9


def advance(state, action):
    place, speed = state[:, 0], state[:, 1]
    speed = (speed + 0.25 * ACTIONS[action]).clamp(-1, 1)
    place = (place + 0.25 * speed).clamp(-2, 2)
    after = torch.stack([place, speed], dim=1)
    reward = -(place.abs() + 0.2 * speed.abs())
    return after, reward


def random_states(count, gen):
    return (torch.rand(count, 2, generator=gen) * 2 - 1) * torch.tensor([2.0, 1.0])


def collect(count, gen):
    state = random_states(count, gen)
    action = torch.randint(0, len(ACTIONS), (count,), generator=gen)
    after, reward = advance(state, action)
    return {"state": state, "action": action, "reward": reward, "after": after}


def q_network():
    return nn.Sequential(nn.Linear(2, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, len(ACTIONS)))


def huber(gap, knee=1.0):
    small = gap.abs() <= knee
    return torch.where(small, 0.5 * gap ** 2, knee * (gap.abs() - 0.5 * knee)).mean()


def td_loss(net, frozen, batch):
    value = net(batch["state"]).gather(1, batch["action"].unsqueeze(1)).squeeze(1)
    with torch.no_grad():
        best = frozen(batch["after"]).max(dim=1).values
        target = batch["reward"] + GAMMA * best
    return huber(value - target)


def learn(net, memory, gen, steps=900, batch_size=128):
    frozen = copy.deepcopy(net).requires_grad_(False)
    opt = torch.optim.Adam(net.parameters(), lr=1e-3)
    net.train()
    for step in range(1, steps + 1):
        rows = torch.randint(0, len(memory["action"]), (batch_size,), generator=gen)
        loss = td_loss(net, frozen, {k: v[rows] for k, v in memory.items()})
        opt.zero_grad()
        loss.backward()
        opt.step()
        if step % 30 == 0:
            frozen.load_state_dict(net.state_dict())
        if step % 150 == 0:
            print(f"step {step}: td loss {loss.item():.4f}")


@torch.no_grad()
def drive(net, state, horizon=30):
    net.eval()
    total = torch.zeros(len(state))
    for _ in range(horizon):
        state, reward = advance(state, net(state).argmax(dim=1))
        total += reward
    return -(total / horizon).mean().item()


if __name__ == "__main__":
    torch.manual_seed(3)
    gen = torch.Generator().manual_seed(3)
    memory = collect(6000, gen)
    starts = random_states(300, gen)
    net = q_network()
    print(f"mean cost, untrained: {drive(net, starts):.4f}")
    learn(net, memory, gen)
    print(f"result: {drive(net, starts):.4f}")
