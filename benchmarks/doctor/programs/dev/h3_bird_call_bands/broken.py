"""Eight birds by the loudness of 48 bands of their calls."""

import torch
from torch import nn


def record(count, birds, generator):
    bird = torch.randint(0, len(birds), (count,), generator=generator)
    call = torch.randint(0, birds.size(1), (count,), generator=generator)
    loudness = birds[bird, call] + torch.randn(count, 48, generator=generator)
    return loudness, bird


def batches(loudness, bird, size, generator=None):
    order = torch.arange(len(bird)) if generator is None else torch.randperm(len(bird), generator=generator)
    for rows in order.split(size):
        yield loudness[rows], bird[rows]


def listener(width=400):
    return nn.Sequential(
        nn.Linear(48, width),
        nn.LayerNorm(width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, 8),
    )


def train(net, loudness, bird, generator, epochs=16, peak=0.1):
    criterion = nn.CrossEntropyLoss()
    per_epoch = -(-len(bird) // 80)
    optimizer = torch.optim.SGD(net.parameters(), lr=peak, momentum=0.9)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak, total_steps=epochs * per_epoch)
    for epoch in range(epochs):
        net.train()
        seen, summed = 0, 0.0
        for x, target in batches(loudness, bird, 80, generator):
            loss = criterion(net(x), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            seen += len(target)
            summed += loss.item() * len(target)
        print(f"epoch {epoch + 1:2d} loss {summed / seen:.6f}")


def heard_right(net, loudness, bird):
    net.eval()
    right, calls = 0, 0
    with torch.no_grad():
        for x, target in batches(loudness, bird, 60):
            guesses = net(x).argmax(dim=0)
            for guess, answer in zip(guesses.tolist(), target.tolist()):
                right += guess == answer
                calls += 1
    return right / calls


def main():
    torch.manual_seed(23)
    generator = torch.Generator().manual_seed(23)
    birds = torch.randn(8, 2, 48, generator=generator) * 0.6
    net = listener()
    train(net, *record(2400, birds, generator), generator)
    print(f"result: {heard_right(net, *record(600, birds, generator)):.4f}")


if __name__ == "__main__":
    main()
