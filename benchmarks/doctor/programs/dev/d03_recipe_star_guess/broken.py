"""How many stars (1 to 5) will a recipe get?  Steps, minutes, spices ... -> stars."""
import random

import torch
from torch import nn
from torch.nn import functional as F


def cook_book(n, gen):
    facts = torch.randn(n, 6, generator=gen)
    joy = 1.2 * facts[:, 0] - 0.9 * facts[:, 1] * facts[:, 2] + 0.7 * torch.tanh(2 * facts[:, 3])
    joy = joy + 0.25 * torch.randn(n, generator=gen)
    stars = torch.bucketize(joy, torch.tensor([-1.2, -0.4, 0.4, 1.2]))
    return facts, stars


def pages(facts, stars, size, rnd):
    numbers = list(range(len(stars)))
    rnd.shuffle(numbers)
    while numbers:
        chosen, numbers = torch.tensor(numbers[:size]), numbers[size:]
        yield facts[chosen], stars[chosen]


def training_step(net, opt, facts, stars):
    scores = net(facts)
    guess = scores.argmax(dim=1).float()
    loss = F.l1_loss(guess, stars.float()).requires_grad_()
    opt.zero_grad()
    loss.backward()
    opt.step()
    return loss.item()


def check(net, facts, stars):
    net.eval()
    with torch.no_grad():
        guess = net(facts).argmax(dim=1)
    exact = (guess == stars).float().mean().item()
    off = (guess - stars).abs().float().mean().item()
    return exact, off


def run(seed=303, epochs=12):
    torch.manual_seed(seed)
    rnd, gen = random.Random(seed), torch.Generator().manual_seed(seed)
    facts, stars = cook_book(1800, gen)
    new_facts, new_stars = cook_book(500, gen)
    net = nn.Sequential(nn.Linear(6, 50), nn.Mish(), nn.Linear(50, 50), nn.Mish(), nn.Linear(50, 5))
    opt = torch.optim.Adamax(net.parameters(), lr=6e-3)
    for epoch in range(epochs):
        net.train()
        losses = [training_step(net, opt, f, s) for f, s in pages(facts, stars, 36, rnd)]
        if epoch % 4 == 3:
            print(f"epoch {epoch + 1}: loss {sum(losses) / len(losses):.3f}")
    exact, off = check(net, new_facts, new_stars)
    print(f"new recipes: {off:.2f} stars off, exactly right {exact:.3f}")


run()
