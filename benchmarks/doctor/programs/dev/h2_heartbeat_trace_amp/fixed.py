import torch
from torch import nn
from torch.amp import GradScaler, autocast


class Traces(torch.utils.data.Dataset):
    """One beat of a heart each: normal, early, wide or double."""

    def __init__(self, n, seed):
        super().__init__()
        gen = torch.Generator().manual_seed(seed)
        t = torch.linspace(0, 1, 80)
        self.label = torch.randint(0, 4, (n,), generator=gen)
        where = 0.5 + 0.1 * torch.randn(n, 1, generator=gen) - 0.2 * (self.label == 1)[:, None]
        wide = 0.03 + 0.04 * (self.label == 2)[:, None]
        beat = torch.exp(-((t - where) / wide) ** 2)
        again = torch.exp(-((t - where - 0.15) / 0.03) ** 2) * (self.label == 3)[:, None]
        self.trace = beat + 0.7 * again + 0.3 * torch.randn(n, 80, generator=gen)

    def __getitem__(self, i):
        return self.trace[i], self.label[i]

    def __len__(self):
        return self.trace.shape[0]


class TraceNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.ModuleList([nn.Conv1d(1, 16, 7, padding=3), nn.Conv1d(16, 16, 7, padding=3)])
        self.pool = nn.MaxPool1d(2)
        self.fc = nn.Linear(16 * 20, 4)

    def forward(self, x):
        x = x.unsqueeze(1)
        for conv in self.conv:
            x = self.pool(torch.relu(conv(x)))
        return self.fc(x.flatten(1))


class AmpTrainer:
    def __init__(self, net, lr, device="cpu"):
        self.net, self.device = net, device
        self.optimizer = torch.optim.SGD(net.parameters(), lr=lr, momentum=0.9)
        self.scaler = GradScaler(device, init_scale=256.0)
        self.criterion = nn.CrossEntropyLoss()

    def training_step(self, x, y):
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(self.device, dtype=torch.bfloat16):
            logits = self.net(x)
        loss = self.criterion(logits.float(), y)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss.item()

    def fit(self, loader, epochs):
        for epoch in range(epochs):
            self.net.train()
            total = sum(self.training_step(x, y) for x, y in loader)
            print(f"epoch {epoch} loss {total / len(loader):.6f}")

    def evaluate(self, loader):
        self.net.eval()
        right = 0
        with torch.no_grad():
            for x, y in loader:
                right += (self.net(x).argmax(1) == y).sum().item()
        return right / len(loader.dataset)


if __name__ == "__main__":
    torch.manual_seed(28)
    train_loader = torch.utils.data.DataLoader(Traces(1500, 5), batch_size=50, shuffle=True)
    test_loader = torch.utils.data.DataLoader(Traces(500, 6), batch_size=250)
    trainer = AmpTrainer(TraceNet(), lr=0.05)
    trainer.fit(train_loader, epochs=8)
    print(f"result: {trainer.evaluate(test_loader):.4f}")
