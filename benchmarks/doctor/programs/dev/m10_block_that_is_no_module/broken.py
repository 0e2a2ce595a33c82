import torch
from torch import nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(17)
time = torch.linspace(0, 6.28, 14)
Y = torch.randint(0, 4, (1300,))
wave = torch.sin(time[None] * (Y[:, None] + 1) + 3.0 * torch.rand(1300, 1))
X = torch.stack([wave, wave.roll(1, 1), torch.randn(1300, 14)], dim=2) + 0.15 * torch.randn(1300, 14, 3)
Xtr, Ytr, Xte, Yte = X[:1000], Y[:1000], X[1000:], Y[1000:]

class Block:
    def __init__(self, i, o):
        self.conv = nn.Conv1d(i, o, 3, padding=1)
    def __call__(self, x):
        return F.relu(self.conv(x))
class BlockM(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.conv = nn.Conv1d(i, o, 3, padding=1)
    def forward(self, x):
        return F.relu(self.conv(x))
class Wave(nn.Module):
    def __init__(self):
        super().__init__()
        self.b1, self.b2 = Block(3, 12), Block(12, 12)
        self.fc = nn.Linear(12, 4)
    def forward(self, x):
        return self.fc(self.b2(self.b1(x.transpose(1, 2))).mean(2))
net = Wave()
criterion = nn.CrossEntropyLoss()


class Trainer:
    def __init__(self, model, criterion, lr=0.02, epochs=5):
        self.model = model
        self.criterion = criterion
        self.epochs = epochs
        self.opt = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
        self.history = []

    def _step(self, batch):
        x, y = batch
        loss = self.criterion(self.model(x), y)
        self.opt.zero_grad(set_to_none=True)
        loss.backward()
        self.opt.step()
        return loss.item()

    def fit(self, loader):
        for epoch in range(self.epochs):
            self.model.train()
            losses = [self._step(batch) for batch in loader]
            self.history.append(sum(losses) / len(losses))
            print(f"epoch {epoch} loss {self.history[-1]:.6f}")

    def score(self):
        self.model.eval()
        with torch.inference_mode():
            outputs = self.model(Xte)
        return (outputs.argmax(1) == Yte).float().mean().item()


trainer = Trainer(net, criterion)
trainer.fit(DataLoader(TensorDataset(Xtr, Ytr), batch_size=40, shuffle=True))
print(f"result: {trainer.score():.4f}")

