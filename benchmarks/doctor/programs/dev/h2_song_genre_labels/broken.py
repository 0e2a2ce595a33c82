import argparse

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Dataset

parser = argparse.ArgumentParser(description="Which genres does a song belong to?")
parser.add_argument("--epochs", type=int, default=6)
parser.add_argument("--batch-size", type=int, default=50)
parser.add_argument("--lr", type=float, default=2e-3)
parser.add_argument("--seed", type=int, default=21)


class Songs(Dataset):
    """Forty sound measures for each song and six genres that may hold together."""

    def __init__(self, count, mix, generator):
        self.sounds = torch.randn(count, 40, generator=generator)
        self.labels = (self.sounds.tanh() @ mix > 0.3).float()

    def __len__(self):
        return len(self.sounds)

    def __getitem__(self, i):
        return self.sounds[i], self.labels[i]


class WeightedLabels(nn.Module):
    """Cross-entropy of each label alone, rare labels counting more."""

    def __init__(self, frequency):
        super().__init__()
        self.register_buffer("pos_weight", (1 - frequency) / frequency)

    def forward(self, out, target):
        each = F.binary_cross_entropy_with_logits(out, target, pos_weight=self.pos_weight, reduction="none")
        return each.mean(dim=1).mean()


class GenreNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(40, 224)
        self.fc2 = nn.Linear(224, 224)
        self.out = nn.Linear(224, 6)

    def forward(self, x):
        x = F.gelu(self.fc1(x))
        return self.out(F.gelu(self.fc2(x)))

    def chances(self, x):
        return torch.sigmoid(self(x))


def main():
    args = parser.parse_args([])
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)
    mix = torch.randn(40, 6, generator=generator)
    train_set, test_set = Songs(1500, mix, generator), Songs(400, mix, generator)
    loader = DataLoader(train_set, batch_size=args.batch_size, shuffle=True)
    model = GenreNet()
    criterion = WeightedLabels(train_set.labels.mean(0))
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)

    for epoch in range(args.epochs):
        model.train()
        summed = 0.0
        for sounds, labels in loader:
            optimizer.zero_grad()
            loss = criterion(model.chances(sounds), labels)
            loss.backward()
            optimizer.step()
            summed += loss.item()
        print(f"epoch {epoch + 1}: loss {summed / len(loader):.6f}")

    model.eval()
    with torch.no_grad():
        guesses = (model.chances(test_set.sounds) > 0.5).float()
    print(f"result: {(guesses == test_set.labels).float().mean().item():.4f}")


main()
