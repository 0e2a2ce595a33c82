"""Route customer support tickets to a team from their words."""
import random

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

TEAMS = ["accounts", "billing", "delivery", "gift_cards", "hardware", "returns", "shop_app", "warranty"]


def make_tickets(n, teams, rng):
    rows = []
    for _ in range(n):
        team = rng.choice(teams)
        k = TEAMS.index(team)
        words = []
        for _ in range(rng.randint(8, 20)):
            if rng.random() < 0.35:
                words.append(f"w{k * 25 + rng.randint(0, 24)}")
            else:
                words.append(f"w{rng.randint(0, 399)}")
        rows.append((" ".join(words), team))
    return rows


def build_vocab(rows):
    words = sorted({w for text, _ in rows for w in text.split()})
    return {w: i + 2 for i, w in enumerate(words)}  # 0 = padding, 1 = unknown


class TicketDataset(Dataset):
    def __init__(self, rows, vocab):
        self.vocab = vocab
        self.rows = rows
        self.to_id = {name: i for i, name in enumerate(sorted({team for _, team in rows}))}

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        text, team = self.rows[i]
        ids = torch.tensor([self.vocab.get(w, 1) for w in text.split()])
        return ids, self.to_id[team]


def collate(items):
    ids = nn.utils.rnn.pad_sequence([x for x, _ in items], batch_first=True)
    return ids, torch.tensor([y for _, y in items])


class Router(nn.Module):
    def __init__(self, n_words, n_teams, dim=64):
        super().__init__()
        self.emb = nn.Embedding(n_words, dim, padding_idx=0)
        self.mix = nn.Sequential(nn.Linear(dim, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, n_teams))

    def forward(self, ids):
        mask = (ids != 0).unsqueeze(-1).float()
        mean = (self.emb(ids) * mask).sum(1) / mask.sum(1)
        return self.mix(mean)


class Trainer:
    def __init__(self, model, lr=3e-3):
        self.model = model
        self.opt = torch.optim.Adam(model.parameters(), lr=lr)
        self.loss_fn = nn.CrossEntropyLoss()

    def fit(self, loader, epochs):
        for epoch in range(epochs):
            self.model.train()
            total = 0.0
            for ids, y in loader:
                self.opt.zero_grad()
                loss = self.loss_fn(self.model(ids), y)
                loss.backward()
                self.opt.step()
                total += loss.item() * len(y)
            print(f"epoch {epoch + 1}: loss {total / len(loader.dataset):.3f}")

    @torch.no_grad()
    def accuracy(self, loader):
        self.model.eval()
        hits = sum((self.model(ids).argmax(1) == y).sum().item() for ids, y in loader)
        return hits / len(loader.dataset)


def main():
    torch.manual_seed(3)
    rng = random.Random(3)
    history = make_tickets(3000, TEAMS, rng)
    # gift cards were discontinued before the last quarter
    last_quarter = make_tickets(800, [t for t in TEAMS if t != "gift_cards"], rng)
    vocab = build_vocab(history)
    train = DataLoader(TicketDataset(history, vocab), batch_size=64, shuffle=True, collate_fn=collate)
    test = DataLoader(TicketDataset(last_quarter, vocab), batch_size=200, collate_fn=collate)
    trainer = Trainer(Router(len(vocab) + 2, len(TEAMS)))
    trainer.fit(train, epochs=5)
    print(f"result: {trainer.accuracy(test):.4f}")


if __name__ == "__main__":
    main()
