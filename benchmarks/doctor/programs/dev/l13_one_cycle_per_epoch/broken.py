import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader, TensorDataset, random_split


def bumps(n: int):
    """Signals with one, two or three bumps."""
    number = torch.randint(1, 4, (n,))
    grid = torch.linspace(0, 1, 32)
    signal = 0.25 * torch.randn(n, 32)
    for k in range(3):
        centre = torch.rand(n, 1) * 0.15 + 0.1 + 0.3 * k
        bump = torch.exp(-((grid - centre) / 0.05) ** 2)
        signal += 1.5 * bump * (number > k).float()[:, None]
    return signal[:, None], number - 1


def epoch_of_training(net, loader, opt, sched):
    net.train()
    total = 0.0
    for signal, number in loader:
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(signal), number)
        loss.backward()
        opt.step()
        total += loss.item() * len(number)
    sched.step()
    return total / len(loader.dataset)


@torch.no_grad()
def score(net, loader):
    net.eval()
    return sum((net(s).argmax(1) == k).sum().item() for s, k in loader) / len(loader.dataset)


if __name__ == "__main__":
    torch.manual_seed(14)
    whole = TensorDataset(*bumps(2000))
    part, rest = random_split(whole, [1600, 400], generator=torch.Generator().manual_seed(0))
    train_loader, test_loader = DataLoader(part, 32, shuffle=True), DataLoader(rest, 100)
    net = nn.Sequential(nn.Conv1d(1, 8, 5, padding=2), nn.ReLU(), nn.AvgPool1d(4), nn.Flatten(), nn.Linear(64, 3))
    opt = torch.optim.AdamW(net.parameters(), lr=0.01)
    epochs = 4
    sched = OneCycleLR(opt, max_lr=0.01, total_steps=epochs * len(train_loader))
    for epoch in range(epochs):
        loss = epoch_of_training(net, train_loader, opt, sched)
        print(f"epoch {epoch}: loss {loss:.6f}, lr {opt.param_groups[0]['lr']:.6f}")
    print(f"result: {score(net, test_loader):.4f}")
