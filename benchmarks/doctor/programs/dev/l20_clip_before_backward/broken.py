import torch
import torch.nn as nn

torch.manual_seed(7)
SEQ, HIDDEN, CLIP = 15, 24, 1.0


class Adder(nn.Module):
    """Adds the numbers that are marked."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(2, HIDDEN, batch_first=True)
        self.decoder = nn.Linear(HIDDEN, 1)

    def forward(self, x):
        out, _ = self.lstm(x)
        return self.decoder(out[:, -1, :])


def make_batch(n):
    numbers = torch.rand(n, SEQ)
    marks = (torch.rand(n, SEQ) < 0.25).float()
    return torch.stack([numbers, marks], dim=2), (numbers * marks).sum(1, keepdim=True)


def train(model, data, labels, optimizer, criterion):
    model.train()
    losses = 0.0
    for idx in torch.randperm(len(data)).split(30):
        optimizer.zero_grad()
        loss = criterion(model(data[idx]), labels[idx])
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        loss.backward()
        optimizer.step()
        losses += loss.item() * len(idx)
    return losses / len(data)


def evaluate(model, data, labels):
    model.eval()
    with torch.no_grad():
        error = nn.functional.mse_loss(model(data), labels)
    return 1 - (error / labels.var(unbiased=False)).item()


train_data, train_labels = make_batch(1500)
test_data, test_labels = make_batch(300)
model = Adder()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(8):
    print(f"epoch {epoch} | loss {train(model, train_data, train_labels, optimizer, nn.MSELoss()):.6f}")
print(f"result: {evaluate(model, test_data, test_labels):.4f}")
