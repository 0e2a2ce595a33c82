# %%
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(8)
OLD, NEW, WORDS = 150, 80, 16

# %%
taste = torch.randn(OLD + NEW)


def reviews(count, low, high):
    text = torch.randint(low, high, (count, WORDS))
    mood = taste[text].sum(1) / WORDS ** 0.5 + 0.2 * torch.randn(count)
    return TensorDataset(text, (mood > 0).float())


books = reviews(2400, 0, OLD)
gadgets = reviews(2400, OLD // 2, OLD + NEW)
gadgets_test = reviews(800, OLD // 2, OLD + NEW)


# %%
class Reader(nn.Module):
    def __init__(self, vocab, width=64):
        super().__init__()
        self.words = nn.Embedding(vocab, width)
        self.mix = nn.Sequential(nn.Linear(width, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 1))

    def forward(self, text):
        return self.mix(self.words(text).mean(dim=1)).squeeze(1)

    def grow(self, extra):
        wider = nn.Embedding(self.words.num_embeddings + extra, self.words.embedding_dim)
        with torch.no_grad():
            wider.weight[:self.words.num_embeddings] = self.words.weight
        self.words = wider


bce = nn.BCEWithLogitsLoss()


def run(model, opt, part, epochs):
    model.train()
    for epoch in range(epochs):
        total = 0.0
        for text, label in DataLoader(part, batch_size=64, shuffle=True):
            opt.zero_grad()
            loss = bce(model(text), label)
            loss.backward()
            opt.step()
            total += loss.item() * len(text)
        print(f"  epoch {epoch}: {total / len(part):.4f}")


# %%
model = Reader(OLD)
opt = torch.optim.Adam(model.parameters(), lr=3e-3)
run(model, opt, books, 8)

# %%
model.grow(NEW)
opt = torch.optim.Adam(model.parameters(), lr=3e-3)
run(model, opt, gadgets, 8)

# %%
model.eval()
text, label = gadgets_test.tensors
with torch.no_grad():
    hit = ((model(text) > 0).float() == label).float().mean().item()
print(f"result: {hit:.4f}")
