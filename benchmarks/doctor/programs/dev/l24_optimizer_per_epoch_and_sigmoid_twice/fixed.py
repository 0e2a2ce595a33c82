import random

import torch
import torch.nn as nn
from torch.optim import Adam

random.seed(63)
torch.manual_seed(63)

# spam or not, from fourteen words of a small vocabulary
ham = list(range(0, 60))
spam = list(range(35, 80))
is_spam = [random.random() < 0.5 for _ in range(1800)]
mail = torch.tensor([random.choices(spam if s else ham, k=6) + random.choices(range(80), k=8) for s in is_spam])
target = torch.tensor(is_spam).float()


class Filter(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.EmbeddingBag(80, 16)
        self.hidden = nn.Linear(16, 16)
        self.out = nn.Linear(16, 1)

    def forward(self, ids):
        h = torch.relu(self.hidden(self.words(ids)))
        return self.out(h).squeeze(1)


spam_filter = Filter()
criterion = nn.BCEWithLogitsLoss()
optimizer = Adam(spam_filter.parameters(), lr=0.01)
for epoch in range(5):
    spam_filter.train()
    summed = 0.0
    for part in torch.randperm(1400).split(50):
        optimizer.zero_grad()
        loss = criterion(spam_filter(mail[part]), target[part])
        loss.backward()
        optimizer.step()
        summed += loss.item()
    print(f"epoch {epoch} loss {summed / 28:.6f}")

spam_filter.eval()
with torch.no_grad():
    guess = spam_filter(mail[1400:]) > 0
print(f"result: {(guess == target[1400:].bool()).float().mean().item():.4f}")
