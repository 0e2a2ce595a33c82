import torch
import torch.nn as nn
import torch.optim as optim


def make_panel(n, seed=31):
    """Sensor readings of spices; every spice has two harvests."""
    g = torch.Generator().manual_seed(seed)
    harvests = torch.randn(8, 2, 40, generator=g) * 0.55
    spice = torch.randint(0, 8, (n,), generator=g)
    harvest = torch.randint(0, 2, (n,), generator=g)
    readings = harvests[spice, harvest] + torch.randn(n, 40, generator=g)
    return readings, spice


def start_weights(layer):
    if isinstance(layer, nn.Linear):
        nn.init.normal_(layer.weight, mean=0.0, std=1.0)
        nn.init.zeros_(layer.bias)


def nose(width):
    layers = [nn.Linear(40, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 8)]
    return nn.Sequential(*layers).apply(start_weights)


def learn(net, readings, spice, epochs, batch_size):
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.Adam(net.parameters(), lr=4e-4, betas=(0.9, 0.99))
    history = []
    for _ in range(epochs):
        net.train()
        running = 0.0
        for rows in torch.randperm(len(spice)).split(batch_size):
            optimizer.zero_grad()
            loss = criterion(net(readings[rows]), spice[rows])
            loss.backward()
            optimizer.step()
            running += loss.detach() * len(rows)
        history.append(running.item() / len(spice))
        print(f"loss {history[-1]:.6f}")
    return history


def sniff(net, readings, spice):
    net.eval()
    with torch.no_grad():
        return (net(readings).argmax(1) == spice).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(31)
    readings, spice = make_panel(3000)
    center, scale = readings[:2400].mean(0), readings[:2400].std(0)
    readings = (readings - center) / scale
    net = nose(400)
    learn(net, readings[:2400], spice[:2400], epochs=12, batch_size=100)
    print(f"result: {sniff(net, readings[2400:], spice[2400:]):.4f}")
