import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence
from torch.utils.data import DataLoader


def brackets(n, g):
    """Sequences of 1 = open, 2 = close; is the deepest nesting above two?"""
    found = []
    while len(found) < n:
        length = int(torch.randint(6, 17, (), generator=g))
        depth, deepest, ids = 0, 0, []
        for _ in range(length):
            up = depth == 0 or torch.rand((), generator=g) < 0.5
            depth += 1 if up else -1
            deepest = max(deepest, depth)
            ids.append(1 if up else 2)
        found.append((torch.tensor(ids), int(deepest > 2)))
    return found


def collate(samples):
    sequences, labels = zip(*samples)
    lengths = torch.tensor([len(s) for s in sequences])
    return pad_sequence(sequences, batch_first=True), lengths, torch.tensor(labels)


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(3, 8, padding_idx=0)
        self.gru = nn.GRU(8, 24, batch_first=True)
        self.out = nn.Linear(24, 2)

    def forward(self, ids, lengths):
        packed = pack_padded_sequence(self.embed(ids), lengths, batch_first=True, enforce_sorted=False)
        _, h = self.gru(packed)
        return self.out(h[-1])


def unseen(test, train):
    known = {tuple(ids.tolist()) for ids, _ in train}
    return [(ids, label) for ids, label in test if tuple(ids.tolist()) not in known]


torch.manual_seed(76)
g = torch.Generator().manual_seed(76)
training = brackets(1000, g)
testing = unseen(brackets(800, g), training)
train_loader = DataLoader(training, batch_size=25, shuffle=True, collate_fn=collate)
test_loader = DataLoader(testing, batch_size=60, collate_fn=collate)
model = Reader()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(6):
    total = 0.0
    for ids, lengths, labels in train_loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(ids, lengths), labels)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch} loss {total / len(train_loader):.6f}")
hits = 0
with torch.no_grad():
    for ids, lengths, labels in test_loader:
        hits += (model(ids, lengths).argmax(1) == labels).sum().item()
print(f"result: {hits / len(testing):.4f}")
