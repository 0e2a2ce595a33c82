import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

GLYPHS = {
    0: "01110 10001 10011 10101 11001 10001 01110",
    1: "00100 01100 00100 00100 00100 00100 01110",
    2: "01110 10001 00001 00110 01000 10000 11111",
    3: "11110 00001 00001 01110 00001 00001 11110",
    4: "00010 00110 01010 10010 11111 00010 00010",
    7: "11111 00001 00010 00100 01000 01000 01000",
}


def make_digits(count, rng):
    names = sorted(GLYPHS)
    stamps = [np.array([[int(c) for c in row] for row in GLYPHS[n].split()]) for n in names]
    images = rng.normal(0.0, 0.25, (count, 1, 10, 10))
    labels = rng.integers(0, len(names), count)
    for image, label in zip(images, labels):
        top, left = rng.integers(0, 4), rng.integers(0, 6)
        image[0, top:top + 7, left:left + 5] += stamps[label]
    return torch.tensor(images, dtype=torch.float32), torch.from_numpy(labels)


class DigitTrainer:
    def __init__(self, x, y):
        self.x, self.y = x, y
        self.net = torch.nn.Sequential(
            torch.nn.Conv2d(1, 12, 3, padding=1),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(2),
            torch.nn.Conv2d(12, 24, 3),
            torch.nn.ReLU(),
            torch.nn.Flatten(),
            torch.nn.Linear(24 * 9, len(GLYPHS)),
        )
        self.loss_fn = torch.nn.CrossEntropyLoss()
        self.opt = torch.optim.Adam(self.net.parameters(), lr=3e-3)

    def batches(self):
        return DataLoader(TensorDataset(self.x, self.y), 50, shuffle=True)

    def fit(self, epochs):
        for epoch in range(epochs):
            self.net.train()
            losses = []
            for xb, yb in self.batches():
                self.opt.zero_grad()
                loss = self.loss_fn(self.net(xb), yb)
                loss.backward()
                self.opt.step()
                losses.append(loss.item())
            print(f"[{epoch}] {sum(losses) / len(losses):.6f}")

    @torch.no_grad()
    def score(self, x, y):
        self.net.eval()
        return (self.net(x).argmax(dim=1) == y).float().mean().item()


torch.manual_seed(0)
rng = np.random.default_rng(0)
trainer = DigitTrainer(*make_digits(1500, rng))
trainer.fit(5)
print(f"result: {trainer.score(*make_digits(400, rng)):.4f}")
