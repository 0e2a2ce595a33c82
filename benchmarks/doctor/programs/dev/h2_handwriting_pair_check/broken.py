"""Do two strokes come from the same writer?  A small siamese network."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

WRITERS = 30


def strokes(writer, habits, generator):
    t = torch.linspace(0, 1, 32)
    a, b, c = habits[writer].T.unsqueeze(-1)
    line = torch.sin(6.28 * (1 + 2 * a) * t + 6.28 * b) + c * torch.cos(25 * t)
    return line + 0.12 * torch.randn(line.shape, generator=generator)


def make_pairs(count, habits, seed):
    g = torch.Generator().manual_seed(seed)
    first = torch.randint(0, WRITERS, (count,), generator=g)
    same = torch.rand(count, generator=g) < 0.5
    other = (first + torch.randint(1, WRITERS, (count,), generator=g)) % WRITERS
    second = torch.where(same, first, other)
    return TensorDataset(strokes(first, habits, g), strokes(second, habits, g), same.float())


class Twin(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(32, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 24))
        self.judge = nn.Sequential(nn.Linear(24, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, left, right):
        return self.judge((self.body(left) - self.body(right)).abs()).squeeze(-1)


def train_one_epoch(model, loader, optimizer):
    model.train()
    total = 0.0
    for left, right, same in loader:
        loss = F.binary_cross_entropy_with_logits(model(left, right), same)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * same.size(0)
    return total / len(loader.dataset)


@torch.inference_mode()
def evaluate(model, loader):
    model.eval()
    hits = 0
    for left, right, same in loader:
        hits += ((model(left, right) > 0) == same.bool()).sum().item()
    return hits / len(loader.dataset)


def main():
    torch.manual_seed(19)
    habits = torch.rand(WRITERS, 3)
    train_loader = DataLoader(make_pairs(3000, habits, seed=1), batch_size=64, shuffle=True)
    test_loader = DataLoader(make_pairs(800, habits, seed=2), batch_size=200)
    model = Twin()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for epoch in range(10):
        print(f"epoch {epoch + 1}/10 loss {train_one_epoch(model, train_loader, optimizer):.6f}")
    test_accuracy = evaluate(model, train_loader)
    print(f"result: {test_accuracy:.4f}")


if __name__ == "__main__":
    main()
