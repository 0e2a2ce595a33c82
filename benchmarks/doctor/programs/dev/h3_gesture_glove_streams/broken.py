"""Gestures out of the six sensors of a glove, with an LSTM."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Glove:
    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)

    def stream(self, gesture, steps=20):
        t = np.arange(steps)[:, None]
        speed = [0.25, 0.5, 0.8, 1.15, 1.6][gesture]
        phase = self.rng.uniform(0, 2 * np.pi, 6)
        size = self.rng.uniform(0.6, 1.4, 6)
        return size * np.sin(speed * t + phase) + self.rng.normal(0, 0.35, (steps, 6))


class GestureDataset(Dataset):
    def __init__(self, glove, count):
        gestures = glove.rng.integers(0, 5, count)
        self.streams = torch.tensor(np.stack([glove.stream(g) for g in gestures]), dtype=torch.float32)
        self.gestures = torch.tensor(gestures)

    def __len__(self):
        return len(self.gestures)

    def __getitem__(self, i):
        return self.streams[i], self.gestures[i]


class GestureLSTM(nn.Module):
    """Streams come as (samples, steps, sensors); the last step decides."""

    def __init__(self, sensors, hidden, gestures):
        super().__init__()
        self.lstm = nn.LSTM(sensors, hidden)
        self.drop = nn.Dropout(0.1)
        self.out = nn.Linear(hidden, gestures)

    def forward(self, streams):
        states, _ = self.lstm(streams)
        return self.out(self.drop(states[:, -1]))


def run(epochs=11):
    torch.manual_seed(14)
    glove = Glove(14)
    train_loader = DataLoader(GestureDataset(glove, 1500), batch_size=50, shuffle=True)
    test_loader = DataLoader(GestureDataset(glove, 500), batch_size=50)

    model = GestureLSTM(6, 64, 5)
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    criterion = nn.CrossEntropyLoss()

    for epoch in range(epochs):
        model.train()
        total_loss = 0.0
        for streams, gestures in train_loader:
            optimizer.zero_grad()
            loss = criterion(model(streams), gestures)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            total_loss += loss.item()
        print(f"epoch={epoch} loss={total_loss / len(train_loader):.6f}")

    model.eval()
    correct = total = 0
    with torch.no_grad():
        for streams, gestures in test_loader:
            correct += (model(streams).argmax(1) == gestures).sum().item()
            total += gestures.numel()
    print(f"result: {correct / total:.4f}")


run()
