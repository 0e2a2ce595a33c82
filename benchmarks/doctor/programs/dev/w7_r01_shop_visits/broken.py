import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence
from torch.utils.data import DataLoader, Dataset

CATEGORIES = 12


def make_visits(customers, rng):
    loyal = rng.random(customers) < 0.5
    rows = []
    for c in range(customers):
        when, shelf = 0.0, int(rng.integers(CATEGORIES))
        for _ in range(int(rng.integers(20, 40))):
            when += rng.exponential(2.0)
            stay = 0.55 if loyal[c] else 0.15
            shelf = shelf if rng.random() < stay else int(rng.integers(CATEGORIES))
            rows.append((c, when, shelf, rng.gamma(2.0, 10.0)))
    visits = pd.DataFrame(rows, columns=["customer", "when", "shelf", "amount"])
    return visits.sample(frac=1.0, random_state=1), loyal


class VisitHistory(Dataset):
    def __init__(self, visits, loyal, customers):
        self.customers, self.loyal = customers, loyal
        self.visits = visits

    @staticmethod
    def as_tensors(mine):
        mine = mine.sort_values("when")
        gaps = np.diff(mine["when"], prepend=mine["when"].iloc[0])
        numbers = np.stack([gaps / 2.0 - 1.0, np.log(mine["amount"]) - 2.7], axis=1)
        return torch.tensor(mine["shelf"].to_numpy()), torch.tensor(numbers, dtype=torch.float32)

    def __len__(self):
        return len(self.customers)

    def __getitem__(self, i):
        c = self.customers[i]
        shelf, numbers = self.as_tensors(self.visits[self.visits["customer"] == c])
        return shelf, numbers, float(self.loyal[c])


def pad(batch):
    shelf, numbers, loyal = zip(*batch)
    lengths = torch.tensor([len(s) for s in shelf])
    return pad_sequence(shelf, batch_first=True), pad_sequence(numbers, batch_first=True), lengths, torch.tensor(loyal)


class LoyaltyModel(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.shelf = nn.Embedding(CATEGORIES, 16)
        self.gru = nn.GRU(18, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 1)

    def forward(self, shelf, numbers, lengths):
        x = torch.cat([self.shelf(shelf), numbers], dim=-1)
        _, last = self.gru(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
        return self.out(last[-1]).squeeze(1)


def fit(model, loader, epochs, lr):
    opt, loss_fn = torch.optim.Adam(model.parameters(), lr=lr), nn.BCEWithLogitsLoss()
    for epoch in range(epochs):
        model.train()
        total = 0.0
        for shelf, numbers, lengths, loyal in loader:
            opt.zero_grad()
            loss = loss_fn(model(shelf, numbers, lengths), loyal)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            opt.step()
            total += loss.item() * len(loyal)
        print(f"epoch {epoch}: {total / len(loader.dataset):.4f}")


@torch.no_grad()
def accuracy(model, loader):
    model.eval()
    hits = sum(((model(s, n, k) > 0).float() == y).sum().item() for s, n, k, y in loader)
    return hits / len(loader.dataset)


def main():
    torch.manual_seed(1)
    visits, loyal = make_visits(880, np.random.default_rng(1))
    people = torch.randperm(880).tolist()
    train = VisitHistory(visits, loyal, people[:640])
    test = VisitHistory(visits, loyal, people[640:])
    model = LoyaltyModel()
    fit(model, DataLoader(train, batch_size=40, shuffle=True, collate_fn=pad), epochs=7, lr=3e-3)
    print(f"result: {accuracy(model, DataLoader(test, batch_size=100, collate_fn=pad)):.4f}")


if __name__ == "__main__":
    main()
