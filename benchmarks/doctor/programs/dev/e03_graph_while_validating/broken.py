import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Gestures:
    """Two-channel tracks of 16 points: circles, eights or zigzags."""

    @staticmethod
    def make(n):
        t = torch.linspace(0, 6.2832, 16)
        x = torch.stack([t.cos(), t.sin(), (t - 3.14) / 3])
        y = torch.stack([t.sin(), (2 * t).sin(), (4 * t).cos()])
        kind = torch.randint(0, 3, (n,))
        tracks = torch.stack([x[kind], y[kind]], dim=2)
        turn = 6.2832 * torch.rand(n, 1)
        rotated = torch.stack(
            [tracks[..., 0] * turn.cos() - tracks[..., 1] * turn.sin(), tracks[..., 0] * turn.sin() + tracks[..., 1] * turn.cos()], dim=2
        )
        return TensorDataset(rotated + 0.15 * torch.randn(n, 16, 2), kind)


class TrackLSTM(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.lstm = nn.LSTM(input_size=2, hidden_size=hidden, batch_first=True)
        self.fc = nn.Linear(hidden, 3)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.fc(out[:, -1])


class Coach:
    def __init__(self):
        self.net = TrackLSTM()
        self.optim = torch.optim.Adam(self.net.parameters(), lr=5e-3)
        self.loss = nn.CrossEntropyLoss()

    def train_epoch(self, loader):
        self.net.train()
        running = 0.0
        for tracks, kinds in loader:
            self.optim.zero_grad()
            loss = self.loss(self.net(tracks), kinds)
            loss.backward()
            self.optim.step()
            running += loss.item() * len(kinds)
        return running / len(loader.dataset)

    def validate(self, loader):
        self.net.eval()
        correct = 0
        for tracks, kinds in loader:
            correct += (self.net(tracks).argmax(dim=1) == kinds).sum().item()
        return correct / len(loader.dataset)


torch.manual_seed(9)
train_loader = DataLoader(Gestures.make(1200), batch_size=40, shuffle=True)
val_loader = DataLoader(Gestures.make(300), batch_size=40)
coach = Coach()
for epoch in range(6):
    loss = coach.train_epoch(train_loader)
    print(f"epoch {epoch}: loss {loss:.6f}, val {coach.validate(val_loader):.3f}")
print(f"result: {coach.validate(val_loader):.4f}")
