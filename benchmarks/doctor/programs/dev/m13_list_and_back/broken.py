import torch
from torch import nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(3)
mix = torch.randn(20, 5)
X = torch.randn(1400, 20)
Y = (X @ mix + 0.3 * torch.randn(1400, 5)).argmax(1)
Xtr, Ytr, Xte, Yte = X[:1100], Y[:1100], X[1100:], Y[1100:]

class Enc(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(20, 40), nn.ReLU(), nn.Linear(40, 16))
        self.dec = nn.Sequential(nn.ReLU(), nn.Linear(16, 5))
    def forward(self, x):
        z = self.enc(x)
        return self.dec(torch.tensor(z.tolist()))
net = Enc()
criterion = nn.CrossEntropyLoss()


def train_epoch(model, batches, loss_fn, opt):
    model.train()
    losses = []
    for a, b in batches:
        pred = model(a)
        loss = loss_fn(pred, b)
        opt.zero_grad()
        loss.backward()
        opt.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


@torch.no_grad()
def evaluate(model):
    model.eval()
    outputs = model(Xte)
    return (outputs.argmax(1) == Yte).float().mean().item()


def main():
    batches = DataLoader(TensorDataset(Xtr, Ytr), batch_size=50, shuffle=True)
    opt = torch.optim.AdamW(net.parameters(), lr=0.005)
    for epoch in range(5):
        print(epoch, f"{train_epoch(net, batches, criterion, opt):.6f}", f"{evaluate(net):.4f}")
    print(f"result: {evaluate(net):.4f}")


if __name__ == "__main__":
    main()

