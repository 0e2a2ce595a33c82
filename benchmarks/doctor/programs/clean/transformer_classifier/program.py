import math
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class PositionalEncoding(nn.Module):
    def __init__(self, d_model, dropout=0.1, max_len=50):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        position = torch.arange(max_len).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
        pe = torch.zeros(max_len, 1, d_model)
        pe[:, 0, 0::2] = torch.sin(position * div_term)
        pe[:, 0, 1::2] = torch.cos(position * div_term)
        self.register_buffer("pe", pe)

    def forward(self, x):
        return self.dropout(x + self.pe[: x.size(0)])


class TransformerModel(nn.Module):
    def __init__(self, ntoken, d_model=24, nhead=2, d_hid=48, nlayers=2):
        super().__init__()
        self.d_model = d_model
        self.embedding = nn.Embedding(ntoken, d_model, padding_idx=0)
        self.pos_encoder = PositionalEncoding(d_model)
        layer = nn.TransformerEncoderLayer(d_model, nhead, d_hid, dropout=0.1)
        self.encoder = nn.TransformerEncoder(layer, nlayers, enable_nested_tensor=False)
        self.linear = nn.Linear(d_model, 2)

    def forward(self, ids):
        padding = ids == 0
        x = self.embedding(ids.t()) * math.sqrt(self.d_model)
        x = self.encoder(self.pos_encoder(x), src_key_padding_mask=padding)
        keep = (~padding).t().unsqueeze(2)
        return self.linear((x * keep).sum(0) / keep.sum(0))


def reviews(n):
    """Is there a 1 somewhere before a 2?"""
    ids = torch.randint(3, 16, (n, 10))
    lengths = torch.randint(6, 11, (n,))
    label = torch.randint(0, 2, (n,))
    for i in range(n):
        a, b = sorted(torch.randperm(int(lengths[i]))[:2].tolist())
        ids[i, a], ids[i, b] = (1, 2) if label[i] else (2, 1)
    return TensorDataset(ids.masked_fill(torch.arange(10) >= lengths[:, None], 0), label)


torch.manual_seed(0)
train_loader, test_loader = DataLoader(reviews(1600), batch_size=40, shuffle=True), DataLoader(reviews(400), batch_size=100)
model = TransformerModel(16)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
for epoch in range(6):
    model.train()
    total = 0.0
    for ids, label in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(ids), label)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch} loss {total / len(train_loader):.6f}")
model.eval()
hits = 0
with torch.no_grad():
    for ids, label in test_loader:
        hits += (model(ids).argmax(1) == label).sum().item()
print(f"result: {hits / 400:.4f}")
