# %%
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, Dataset

VOCAB = 300
gen = torch.Generator().manual_seed(3)
strength = torch.randn(VOCAB, generator=gen)
# %%
class Reviews(Dataset):
    def __init__(self, n):
        lengths = torch.randint(8, 30, (n,), generator=gen)
        self.texts = [torch.randint(0, VOCAB, (int(k),), generator=gen) for k in lengths]
        tone = torch.stack([strength[t].mean() for t in self.texts])
        noise = 0.05 * torch.randn(n, generator=gen)
        self.labels = (tone + noise > 0).float()

    def __len__(self):
        return len(self.texts)

    def __getitem__(self, i):
        return self.texts[i], self.labels[i]

def collate(batch):
    texts, labels = zip(*batch)
    starts = torch.tensor([0] + [len(t) for t in texts[:-1]]).cumsum(0)
    return torch.cat(texts), starts, torch.stack(labels)

train_set, test_set = Reviews(3000), Reviews(1000)
test_loader = DataLoader(test_set, batch_size=200, collate_fn=collate)
# %%
class ReviewNet(nn.Module):
    def __init__(self, dim=64):
        super().__init__()
        self.bag = nn.EmbeddingBag(VOCAB, dim, mode="mean")
        self.layers = nn.Sequential(nn.Linear(dim, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 1))

    def forward(self, words, starts):
        return self.layers(self.bag(words, starts)).squeeze(1)

bce = nn.BCEWithLogitsLoss()
# %%
torch.manual_seed(0)
model = ReviewNet()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
train_loader = DataLoader(train_set, batch_size=50, shuffle=True, collate_fn=collate)
for epoch in range(5):
    model.train()
    total = 0.0
    for words, starts, labels in train_loader:
        optimizer.zero_grad()
        loss = bce(model(words, starts), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
    print(f"epoch {epoch}: {total / len(train_set):.4f}")
# %%
model.eval()
right = 0
with torch.no_grad():
    for words, starts, labels in test_loader:
        right += ((model(words, starts) > 0).float() == labels).sum().item()
print(f"result: {right / len(test_set):.4f}")
