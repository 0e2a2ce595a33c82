import math
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset, random_split

ACIDS, LENGTH = 20, 24
MOTIFS = torch.tensor([[3, 7, 7, 1], [12, 0, 5, 9], [18, 2, 14, 2]])


def peptides(n):
    chain = torch.randint(0, ACIDS, (n, LENGTH))
    family = torch.randint(0, len(MOTIFS) + 1, (n,))
    for i in range(n):
        if family[i] > 0:
            at = int(torch.randint(0, LENGTH - 4, (1,)))
            chain[i, at:at + 4] = MOTIFS[family[i] - 1]
    return TensorDataset(chain, family)


class PeptideNet(nn.Module):
    def __init__(self, d=40):
        super().__init__()
        self.embed = nn.Embedding(ACIDS, d)
        self.local = nn.Conv1d(d, d, 5, padding=2)
        layer = nn.TransformerEncoderLayer(d, 4, 2 * d, dropout=0.1, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1, norm=nn.LayerNorm(d), enable_nested_tensor=False)
        self.head = nn.Linear(d, len(MOTIFS) + 1)

    def forward(self, chain):
        h = self.embed(chain).transpose(1, 2)
        h = torch.relu(self.local(h)).transpose(1, 2)
        return self.head(self.encoder(h).amax(1))


class Trainer:
    def __init__(self, model, train, valid, epochs=8, batch_size=64, lr=3e-3, warmup=60):
        self.model, self.epochs = model, epochs
        self.train_loader = DataLoader(train, batch_size=batch_size, shuffle=True)
        self.valid_loader = DataLoader(valid, batch_size=256)
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.01)
        self.criterion = nn.CrossEntropyLoss()
        self.warmup, self.total = warmup, epochs * len(self.train_loader)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self.rate)

    def rate(self, step):
        if step < self.warmup:
            return (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.total - self.warmup)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))

    def fit(self):
        for epoch in range(self.epochs):
            self.model.train()
            summed = 0.0
            for chain, family in self.train_loader:
                self.optimizer.zero_grad()
                loss = self.criterion(self.model(chain), family)
                loss.backward()
                nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
                self.optimizer.step()
                self.scheduler.step()
                summed += loss.item() * len(family)
            print(f"epoch {epoch} loss {summed / len(self.train_loader.dataset):.4f}")

    @torch.no_grad()
    def evaluate(self):
        self.model.eval()
        right = sum((self.model(c).argmax(1) == f).sum().item() for c, f in self.valid_loader)
        return right / len(self.valid_loader.dataset)


if __name__ == "__main__":
    torch.manual_seed(13)
    train, valid = random_split(peptides(2400), [1900, 500])
    trainer = Trainer(PeptideNet(), train, valid)
    trainer.fit()
    print(f"result: {trainer.evaluate():.4f}")
