import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


class LSTMClassifier(nn.Module):
    def __init__(self, vocab_size, embedding_dim, hidden_dim, n_classes):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim)
        self.lstm = nn.LSTM(embedding_dim, hidden_dim)
        self.fc = nn.Linear(hidden_dim, n_classes)

    def forward(self, tokens):
        embedded = self.embedding(tokens)
        output, _ = self.lstm(embedded)
        return self.fc(output[:, -1])


def sequences(n):
    """Which of three marks (1, 2, 3) comes first in a string of 12 signs?"""
    tokens = torch.randint(4, 12, (n, 12))
    first = torch.randint(0, 3, (n,))
    for row, f in zip(tokens, first):
        early, late = torch.randperm(12)[:2].sort().values
        row[early] = 1 + f
        row[late] = 1 + (f + 1 + torch.randint(0, 2, ())) % 3
    return TensorDataset(tokens, first)


torch.manual_seed(9)
train_loader = DataLoader(sequences(2000), batch_size=40, shuffle=True)
test_loader = DataLoader(sequences(400), batch_size=40)

model = LSTMClassifier(12, 12, 32, 3)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)

for epoch in range(6):
    model.train()
    epoch_loss = 0.0
    for tokens, first in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(tokens), first)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        epoch_loss += loss.item()
    print(f"Epoch {epoch + 1}, loss {epoch_loss / len(train_loader):.6f}")

model.eval()
n_right = 0
with torch.no_grad():
    for tokens, first in test_loader:
        n_right += torch.sum(model(tokens).argmax(dim=1) == first).item()
print(f"result: {n_right / 400:.4f}")
