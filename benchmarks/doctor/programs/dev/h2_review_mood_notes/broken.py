# %%
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(14)

# %%
# every review holds one word out of six that decide the mood, the rest is filling
n, length, vocab = 1500, 16, 60
reviews = torch.randint(6, vocab, (n, length))
key = torch.randint(0, 6, (n,))
place = torch.randint(0, length, (n,))
reviews[torch.arange(n), place] = key
mood = key % 3

train_data = TensorDataset(reviews[:1200], mood[:1200])
test_data = TensorDataset(reviews[1200:], mood[1200:])
train_loader = DataLoader(train_data, batch_size=30, shuffle=True)
test_loader = DataLoader(test_data, batch_size=100)

# %%
class MoodNet(nn.Module):
    def __init__(self, vocab, width=32, moods=3):
        super().__init__()
        self.words = nn.Embedding(vocab, width)
        self.read = nn.GRU(width, width, batch_first=True)
        self.look = nn.Linear(width, 1)
        self.decide = nn.Linear(width, moods)

    def forward(self, text):
        states, _ = self.read(self.words(text))
        share = torch.softmax(self.look(states).squeeze(2), dim=0)
        summary = (share.unsqueeze(2) * states).sum(dim=1)
        return self.decide(summary)

# %%
model = MoodNet(vocab)
loss_fn = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)

# %%
for epoch in range(5):
    model.train()
    losses = []
    for text, target in train_loader:
        loss = loss_fn(model(text), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print("epoch", epoch, "loss %.6f" % (sum(losses) / len(losses)))

# %%
model.eval()
right = 0
with torch.no_grad():
    for text, target in test_loader:
        right += (model(text).argmax(1) == target).sum().item()
print("result: %.4f" % (right / len(test_data)))
