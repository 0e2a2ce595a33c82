import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

DESKS = ["sport", "city", "science", "stage"]


def load_stories(per_desk, rng):
    """(word numbers, desk) of every story, desk by desk"""
    stories = []
    for desk in range(len(DESKS)):
        topical = np.arange(desk * 60, desk * 60 + 60)
        for _ in range(per_desk):
            words = rng.integers(0, 500, size=rng.integers(25, 60))
            mine = rng.random(len(words)) < 0.2
            words[mine] = rng.choice(topical, mine.sum())
            stories.append((torch.from_numpy(words), desk))
    return stories


def collate(stories):
    text = torch.cat([words for words, _ in stories])
    lengths = torch.tensor([0] + [len(words) for words, _ in stories[:-1]])
    return text, lengths.cumsum(0), torch.tensor([desk for _, desk in stories])


class Router(nn.Module):
    def __init__(self, vocab=500, dim=48):
        super().__init__()
        self.embedding = nn.EmbeddingBag(vocab, dim)
        self.fc = nn.Sequential(nn.Linear(dim, 48), nn.ReLU(), nn.Linear(48, len(DESKS)))

    def forward(self, text, offsets):
        return self.fc(self.embedding(text, offsets))


def train(model, loader, epochs):
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(1, epochs + 1):
        model.train()
        sum_loss, count = 0.0, 0
        for text, offsets, desk in loader:
            optimizer.zero_grad()
            loss = criterion(model(text, offsets), desk)
            loss.backward()
            optimizer.step()
            sum_loss += loss.item() * len(desk)
            count += len(desk)
        print(f"| epoch {epoch:3d} | loss {sum_loss / count:.6f}")


def evaluate(model, loader):
    model.eval()
    right, total = 0, 0
    with torch.no_grad():
        for text, offsets, desk in loader:
            scores = model(text, offsets)
            right = (scores.argmax(dim=1) == desk).sum().item()
            total = len(desk)
    return right / total


def main():
    torch.manual_seed(8)
    rng = np.random.default_rng(8)
    train_loader = DataLoader(load_stories(450, rng), batch_size=30, collate_fn=collate)
    held_out = load_stories(120, rng)
    order = rng.permutation(len(held_out))
    test_loader = DataLoader([held_out[i] for i in order], batch_size=64, collate_fn=collate)
    model = Router()
    train(model, train_loader, epochs=4)
    print(f"result: {evaluate(model, test_loader):.4f}")


if __name__ == "__main__":
    main()
