"""Guess the household type from the items of a basket (order does not matter much)."""
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

ITEMS, SLOTS, TYPES = 120, 16, 5


def draw_baskets(n, taste, gen):
    kind = torch.randint(0, TYPES, (n,), generator=gen)
    items = torch.multinomial(taste[kind], SLOTS, replacement=True, generator=gen)
    amount = torch.poisson(torch.full((n, SLOTS), 1.5), generator=gen) + 1
    return items, amount, kind


class BasketEncoder(nn.Module):
    def __init__(self, dim=32, heads=4):
        super().__init__()
        self.item = nn.Embedding(ITEMS, dim)
        self.amount = nn.Linear(1, dim)
        layer = nn.TransformerEncoderLayer(dim, heads, dim_feedforward=64, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers=2, enable_nested_tensor=False)
        self.head = nn.Linear(dim, TYPES)

    def forward(self, items, amount):
        tokens = self.item(items) + self.amount(amount.unsqueeze(-1))
        return self.head(self.encoder(tokens).mean(dim=1))


class Experiment:
    def __init__(self, seed=5):
        torch.manual_seed(seed)
        gen = torch.Generator().manual_seed(seed)
        taste = torch.softmax(0.9 * torch.randn(TYPES, ITEMS, generator=gen), 1)
        items, amount, kind = draw_baskets(2000, taste, gen)
        items_t, amount_t, kind_t = draw_baskets(800, taste, gen)
        mean, std = amount.mean(), amount.std()
        self.train_loader = DataLoader(
            TensorDataset(items, (amount - mean) / std, kind), batch_size=50, shuffle=True)
        self.test_loader = DataLoader(TensorDataset(items_t, (amount_t - mean) / std, kind_t), batch_size=100)
        self.model = BasketEncoder()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=2e-3, weight_decay=0.01)
        self.criterion = nn.CrossEntropyLoss()

    def train_one_epoch(self):
        self.model.train()
        loss_sum = 0.0
        for items, amount, kind in self.train_loader:
            loss = self.criterion(self.model(items, amount), kind)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            loss_sum += loss.item() * len(kind)
        return loss_sum / len(self.train_loader.dataset)

    @torch.no_grad()
    def test(self):
        self.model.eval()
        right = 0
        for items, amount, kind in self.test_loader:
            right += (self.model(items, amount).argmax(1) == kind).sum().item()
        return right / len(self.test_loader.dataset)

    def run(self, epochs=5):
        for epoch in range(1, epochs + 1):
            print(f"epoch {epoch}: loss {self.train_one_epoch():.3f}")
        print(f"result: {self.test():.4f}")


if __name__ == "__main__":
    Experiment().run()
