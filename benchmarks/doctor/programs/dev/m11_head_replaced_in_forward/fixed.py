import torch
from torch import nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(11)
patterns = torch.randn(6, 1, 8, 8)
Y = torch.randint(0, 6, (1300,))
X = patterns[Y] + 0.9 * torch.randn(1300, 1, 8, 8)
Xtr, Ytr, Xte, Yte = X[:1000], Y[:1000], X[1000:], Y[1000:]

class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3)
        self.fc = nn.Linear(288, 6)
    def forward(self, x):
        x = F.relu(self.conv(x)).flatten(1)
        return self.fc(x)
net = Cnn()
criterion = nn.CrossEntropyLoss()


class Trainer:
    def __init__(self, model, criterion, lr=0.05, epochs=5):
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

