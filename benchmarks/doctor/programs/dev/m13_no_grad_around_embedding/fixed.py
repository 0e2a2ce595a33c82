import random

import torch
from torch import nn

PAD = 0
GOOD = list(range(1, 11))
BAD = list(range(11, 21))
PLAIN = list(range(21, 60))


def review(rng):
    words = rng.sample(PLAIN, 8)
    liked = rng.random() < 0.5
    for _ in range(2):
        words[rng.randrange(8)] = rng.choice(GOOD if liked else BAD)
    if rng.random() < 0.3:
        words[rng.randrange(8)] = rng.choice(BAD if liked else GOOD)
    return words[: rng.randint(6, 8)], int(liked)


def collate(items):
    ids = torch.full((len(items), 8), PAD)
    for i, (words, _) in enumerate(items):
        ids[i, : len(words)] = torch.tensor(words)
    return ids, torch.tensor([liked for _, liked in items])


class ReviewModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(60, 8, padding_idx=PAD)
        self.drop = nn.Dropout(0.2)
        self.hidden = nn.Linear(8, 16)
        self.out = nn.Linear(16, 2)

    def forward(self, ids):
        vectors = self.embedding(ids)
        mask = (ids != PAD).unsqueeze(-1)
        mean = (vectors * mask).sum(1) / mask.sum(1)
        return self.out(self.drop(torch.relu(self.hidden(mean))))


def train_epoch(model, loader, optimizer, criterion):
    summed = n = 0
    for ids, liked in loader:
        optimizer.zero_grad()
        loss = criterion(model(ids), liked)
        loss.backward()
        optimizer.step()
        summed += loss.item() * len(liked)
        n += len(liked)
    return summed / n


def validate(model, loader):
    model.eval()
    right = n = 0
    with torch.no_grad():
        for ids, liked in loader:
            right += (model(ids).argmax(1) == liked).sum().item()
            n += len(liked)
    return right / n


def main():
    torch.manual_seed(23)
    rng = random.Random(23)
    data = [review(rng) for _ in range(2000)]
    train_loader = torch.utils.data.DataLoader(data[:1600], batch_size=40, shuffle=True, collate_fn=collate)
    test_loader = torch.utils.data.DataLoader(data[1600:], batch_size=100, collate_fn=collate)
    model = ReviewModel()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=3e-3)
    criterion = nn.CrossEntropyLoss()
    for epoch in range(8):
        model.train()
        loss = train_epoch(model, train_loader, optimizer, criterion)
        accuracy = validate(model, test_loader)
        print(f"epoch {epoch}: loss {loss:.6f} accuracy {accuracy:.4f}")
    print(f"result: {accuracy:.4f}")


if __name__ == "__main__":
    main()
