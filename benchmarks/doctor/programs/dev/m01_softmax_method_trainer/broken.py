"""Tiny digit recogniser on rendered 5x7 glyphs."""
import random

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

GLYPHS = {
    0: "01110 10001 10011 10101 11001 10001 01110",
    1: "00100 01100 00100 00100 00100 00100 01110",
    2: "01110 10001 00001 00110 01000 10000 11111",
    3: "11110 00001 00001 01110 00001 00001 11110",
    4: "00010 00110 01010 10010 11111 00010 00010",
    5: "11111 10000 11110 00001 00001 10001 01110",
    6: "00110 01000 10000 11110 10001 10001 01110",
    7: "11111 00001 00010 00100 01000 01000 01000",
    8: "01110 10001 10001 01110 10001 10001 01110",
    9: "01110 10001 10001 01111 00001 00010 01100",
}


class GlyphDataset(Dataset):
    def __init__(self, size: int, seed: int):
        rng = np.random.default_rng(seed)
        self.images = np.zeros((size, 1, 12, 12), dtype=np.float32)
        self.digits = rng.integers(0, 10, size)
        for i, digit in enumerate(self.digits):
            glyph = np.array([[int(c) for c in row] for row in GLYPHS[int(digit)].split()], dtype=np.float32)
            top, left = rng.integers(1, 5), rng.integers(2, 6)
            self.images[i, 0, top : top + 7, left : left + 5] = glyph
        self.images += rng.normal(0, 0.25, self.images.shape).astype(np.float32)

    def __len__(self) -> int:
        return len(self.digits)

    def __getitem__(self, i: int):
        return torch.from_numpy(self.images[i]), int(self.digits[i])


class Recogniser(nn.Module):
    def __init__(self, width: int = 8):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        )
        self.classifier = nn.Linear(2 * width * 9, 10)

    def forward(self, pictures):
        return self.classifier(self.features(pictures).flatten(start_dim=1))


class Trainer:
    def __init__(self, model, lr: float):
        self.model = model
        self.objective = nn.CrossEntropyLoss(label_smoothing=0.05)
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=lr)

    def training_step(self, batch):
        pictures, digits = batch
        scores = self.model(pictures).softmax(-1)
        return self.objective(scores, digits)

    def fit(self, loader, epochs: int):
        for epoch in range(1, epochs + 1):
            self.model.train()
            history = []
            for batch in loader:
                loss = self.training_step(batch)
                self.optimizer.zero_grad(set_to_none=True)
                loss.backward()
                self.optimizer.step()
                history.append(loss.item())
            print(f"epoch {epoch:02d}  loss={np.mean(history):.6f}")

    @torch.inference_mode()
    def validate(self, loader) -> float:
        self.model.eval()
        right = total = 0
        for pictures, digits in loader:
            right += int((self.model(pictures).argmax(dim=-1) == digits).sum())
            total += digits.numel()
        return right / total


def run():
    random.seed(3)
    np.random.seed(3)
    torch.manual_seed(3)
    trainer = Trainer(Recogniser(), lr=5e-3)
    trainer.fit(DataLoader(GlyphDataset(1500, seed=1), batch_size=50, shuffle=True), epochs=9)
    print(f"result: {trainer.validate(DataLoader(GlyphDataset(500, seed=2), batch_size=100)):.4f}")


if __name__ == "__main__":
    run()
