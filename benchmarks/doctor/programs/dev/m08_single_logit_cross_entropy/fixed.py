import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


def patients(n, gen):
    x = torch.randn(n, 9, generator=gen)
    ill = (x[:, 0] * x[:, 1] + x[:, 2] - 0.5 * x[:, 3] > 0).float()
    return TensorDataset(x, ill)


def evaluate(net, loader):
    net.eval()
    n_right = 0
    with torch.no_grad():
        for x, ill in loader:
            n_right += ((net(x) > 0).squeeze(1) == ill.bool()).sum().item()
    return n_right / len(loader.dataset)


def main():
    torch.manual_seed(6)
    gen = torch.Generator().manual_seed(6)
    train_dl = DataLoader(patients(2000, gen), batch_size=50, shuffle=True)
    test_dl = DataLoader(patients(500, gen), batch_size=250)

    net = nn.Sequential(nn.Linear(9, 50), nn.ReLU(), nn.Linear(50, 50), nn.ReLU(), nn.Linear(50, 1))
    opt = torch.optim.Adam(net.parameters(), 2e-3)
    for epoch in range(6):
        net.train()
        s = 0.0
        for x, ill in train_dl:
            opt.zero_grad()
            logit = net(x)
            loss = F.binary_cross_entropy_with_logits(logit, ill.unsqueeze(1))
            loss.backward()
            opt.step()
            s += loss.item()
        print(f"epoch {epoch}: loss {s / len(train_dl):.6f}, test accuracy {evaluate(net, test_dl):.3f}")
    print(f"result: {evaluate(net, test_dl):.4f}")


if __name__ == "__main__":
    main()
