import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

VOCAB, LENGTH = 20, 16


def make_logs(n, generator):
    """Logs of events; the class tells whether event 0 comes before event 1."""
    logs = torch.randint(2, VOCAB, (n, LENGTH), generator=generator)
    places = torch.rand(n, LENGTH, generator=generator).argsort(1)[:, :2]
    rows = torch.arange(n)
    logs[rows, places[:, 0]] = 0
    logs[rows, places[:, 1]] = 1
    return TensorDataset(logs, (places[:, 0] < places[:, 1]).long())


class LogTransformer(nn.Module):
    def __init__(self, dim=32, heads=4, layers=1):
        super().__init__()
        self.token = nn.Embedding(VOCAB, dim)
        self.place = nn.Parameter(0.1 * torch.randn(LENGTH, dim))
        layer = nn.TransformerEncoderLayer(dim, heads, 2 * dim, dropout=0.0, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, 2)

    def forward(self, tokens):
        h = self.encoder(self.token(tokens) + self.place)
        return self.head(self.norm(h).mean(1))


def train(model, loader, optimizer, epochs, accumulate):
    n_batches = len(loader)
    for epoch in range(epochs):
        model.train()
        total = 0.0
        optimizer.zero_grad()
        for i, (tokens, labels) in enumerate(loader):
            loss = F.cross_entropy(model(tokens), labels)
            (loss / accumulate).backward()
            total += loss.item()
            if (i + 1) % accumulate == 0:
                optimizer.step()
                optimizer.zero_grad()
        if epoch % 3 == 2:
            print(f"epoch {epoch + 1:2d} loss {total / n_batches:.4f}")


def test(model, loader):
    model.eval()
    right = 0
    with torch.no_grad():
        for tokens, labels in loader:
            right += (model(tokens).argmax(1) == labels).sum().item()
    return right / len(loader.dataset)


def main():
    torch.manual_seed(4)
    generator = torch.Generator().manual_seed(8)
    train_loader = DataLoader(make_logs(2400, generator), batch_size=32, shuffle=True, generator=generator)
    test_loader = DataLoader(make_logs(1000, generator), batch_size=250)
    model = LogTransformer()
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    train(model, train_loader, optimizer, epochs=15, accumulate=4)
    print(f"result: {test(model, test_loader):.4f}")


if __name__ == "__main__":
    main()
