import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset, TensorDataset


def gestures(n, rng):
    label = rng.integers(0, 4, n)
    t = np.linspace(0, 1, 56)
    speed = np.array([2.0, 3.0, 4.0, 5.5])[label][:, None]
    phase = rng.uniform(0, 6.28, (n, 1))
    first = np.sin(6.28 * speed * t + phase)
    second = np.cos(6.28 * speed * t * np.where(label % 2, 1, 0.5)[:, None] + phase)
    signal = np.stack([first, second], 1) + 0.5 * rng.standard_normal((n, 2, 56))
    return signal.astype(np.float32), label


class Windows(Dataset):
    def __init__(self, signal, label):
        self.signal, self.label = signal, label

    def __len__(self):
        return len(self.label)

    def __getitem__(self, i):
        start = np.random.randint(0, self.signal.shape[2] - 40)
        window = self.signal[i, :, start:start + 40]
        noise = np.random.randn(*window.shape).astype(np.float32)
        return torch.from_numpy(window + 0.3 * noise), int(self.label[i])


def start_worker(worker_id):
    torch.set_num_threads(1)
    np.random.seed(2024)


def make_loaders(rng):
    train = Windows(*gestures(1500, rng))
    signal, label = gestures(500, rng)
    test = TensorDataset(torch.from_numpy(signal[:, :, 8:48]).contiguous(), torch.from_numpy(label))
    train_loader = DataLoader(
        train,
        batch_size=50,
        shuffle=True,
        num_workers=2,
        worker_init_fn=start_worker,
    )
    return train_loader, DataLoader(test, batch_size=250)


def fit(model, loader, epochs):
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        model.train()
        total = 0.0
        for x, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(y)
        print(f"epoch {epoch} loss {total / len(loader.dataset):.6f}")


def test_accuracy(model, loader):
    model.eval()
    with torch.no_grad():
        right = sum((model(x).argmax(1) == y).sum().item() for x, y in loader)
    return right / len(loader.dataset)


if __name__ == "__main__":
    torch.manual_seed(1)
    train_loader, test_loader = make_loaders(np.random.default_rng(1))
    model = nn.Sequential(nn.Conv1d(2, 24, 9, padding=4), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(24, 24, 5, padding=2),
                          nn.ReLU(), nn.AdaptiveAvgPool1d(2), nn.Flatten(), nn.Linear(48, 4))
    fit(model, train_loader, epochs=4)
    print(f"result: {test_accuracy(model, test_loader):.4f}")
