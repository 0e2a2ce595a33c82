import torch
import torch.nn as nn

torch.manual_seed(1)

VOCAB, LENGTH, DIM, CLASSES = 12, 14, 32, 4
LEARNING_RATE = 0.003


def sequences(n):
    """The answer is the one of the tokens 0..3 that is met most often."""
    tokens = torch.randint(0, VOCAB, (n * 3, LENGTH))
    counts = torch.stack([(tokens == c).sum(1) for c in range(CLASSES)], dim=1)
    first, second = counts.topk(2, dim=1).values.unbind(1)
    clear = first > second
    return tokens[clear][:n], counts.argmax(1)[clear][:n]


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.tok = nn.Embedding(VOCAB, DIM)
        self.pos = nn.Parameter(torch.randn(1, LENGTH, DIM) * 0.02)
        layer = nn.TransformerEncoderLayer(DIM, nhead=4, dim_feedforward=64, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers=2)
        self.head = nn.Linear(DIM, CLASSES)

    def forward(self, tokens):
        h = self.encoder(self.tok(tokens) + self.pos)
        return self.head(h.mean(dim=1))


train_x, train_y = sequences(2400)
test_x, test_y = sequences(600)
model = Classifier()
optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
criterion = nn.CrossEntropyLoss()

for epoch in range(3):
    model.train()
    total = 0.0
    batches = torch.randperm(len(train_x)).split(48)
    for rows in batches:
        optimizer.zero_grad()
        loss = criterion(model(train_x[rows]), train_y[rows])
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch + 1} train loss {total / len(batches):.6f}")

model.eval()
with torch.no_grad():
    correct = (model(test_x).argmax(dim=1) == test_y).sum().item()
print(f"result: {correct / len(test_y):.4f}")
