import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def loaders(batch):
    torch.manual_seed(91)
    shapes = torch.randn(7, 1, 8, 8)
    kind = torch.randint(7, (1500,))
    picture = shapes[kind] + 1.3 * torch.randn(1500, 1, 8, 8)
    return (
        DataLoader(TensorDataset(picture[:1200], kind[:1200]), batch_size=batch, shuffle=True),
        DataLoader(TensorDataset(picture[1200:], kind[1200:]), batch_size=100),
    )


def train_step(net, x, y, optimizer, scaler):
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(device_type="cpu", dtype=torch.bfloat16):
        loss = nn.functional.cross_entropy(net(x), y)
    scaler.scale(loss)
    loss.backward()
    scaler.step(optimizer)
    scaler.update()
    return loss.item()


def evaluate(net, loader):
    net.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (net(x).argmax(dim=1) == y).sum().item()
    return correct / len(loader.dataset)


if __name__ == "__main__":
    train_loader, test_loader = loaders(batch=40)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 7))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu")
    for epoch in range(4):
        net.train()
        losses = [train_step(net, x, y, optimizer, scaler) for x, y in train_loader]
        print(f"epoch {epoch} loss {sum(losses) / len(losses):.6f}")
    print(f"result: {evaluate(net, test_loader):.4f}")
