import torch
from torch import nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(11)
patterns = torch.randn(6, 1, 8, 8)
Y = torch.randint(0, 6, (1300,))
X = patterns[Y] + 0.9 * torch.randn(1300, 1, 8, 8)
Xtr, Ytr, Xte, Yte = X[:1000], Y[:1000], X[1000:], Y[1000:]

class Patch(nn.Module):
    def __init__(self):
        super().__init__()
        self.p = nn.Linear(16, 24)
        self.o = nn.Linear(24, 6)
    def forward(self, x):
        B = x.shape[0]
        p = x.unfold(2, 4, 4).unfold(3, 4, 4).reshape(B, 4, 16)
        p = p.permute(1, 0, 2).reshape(B, 4, 16)
        return self.o(torch.relu(self.p(p)).mean(1))
net = Patch()
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

