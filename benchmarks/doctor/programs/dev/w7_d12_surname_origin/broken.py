import random

import torch
import torch.nn as nn
import torch.nn.functional as F

SYLLABLES = {
    "north": ("sen berg lund strom dal vik hol nils gard ek", "son sen strand"),
    "south": ("ri ca lo ma ne to fe gio bel va", "ini etti one"),
    "east": ("ko ja mi ro sla vo ze ky bo dra", "ski vic ova"),
    "isle": ("mac do na ke lin fer gu bru dun og", "gan ley nan"),
}
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
MAX_LEN = 14


def invent(stems, endings):
    # some families moved and took a stem from elsewhere
    parts = [random.choice(stems) for _ in range(random.choice((1, 2)))]
    if random.random() < 0.5:
        other = random.choice(list(SYLLABLES))
        parts.insert(0, random.choice(SYLLABLES[other][0].split()))
    if random.random() < 0.55:
        parts.append(random.choice(endings))
    name = "".join(parts)
    if random.random() < 0.25:
        name = name[1:] or name
    return name[:MAX_LEN]


def read_names(per_class):
    names, labels = [], []
    for label, (stems, endings) in enumerate(SYLLABLES.values()):
        for _ in range(per_class):
            names.append(invent(stems.split(), endings.split()))
            labels.append(label)
    return names, labels


def encode(names):
    codes = torch.zeros(len(names), MAX_LEN, dtype=torch.long)
    for row, name in enumerate(names):
        codes[row, :len(name)] = torch.tensor([ALPHABET.index(c) + 1 for c in name])
    return codes


class CharCNN(nn.Module):
    def __init__(self, n_classes):
        super().__init__()
        self.embed = nn.Embedding(len(ALPHABET) + 1, 24, padding_idx=0)
        self.convs = nn.ModuleList(nn.Conv1d(24, 48, k, padding=k - 1) for k in (2, 3, 4))
        self.drop = nn.Dropout(0.2)
        self.fc = nn.Linear(3 * 48, n_classes)

    def forward(self, codes):
        e = self.embed(codes).transpose(1, 2)
        pooled = [F.relu(conv(e)).amax(-1) for conv in self.convs]
        return self.fc(self.drop(torch.cat(pooled, 1)))


def train(model, optimizer, x, y, batch_size):
    model.train()
    order = torch.arange(len(x))
    losses = []
    for start in range(0, len(x), batch_size):
        pick = order[start:start + batch_size]
        loss = F.cross_entropy(model(x[pick]), y[pick])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


def accuracy(model, x, y):
    model.eval()
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


def main():
    random.seed(5)
    torch.manual_seed(5)
    x_train, y_train = (f(v) for f, v in zip((encode, torch.tensor), read_names(600)))
    x_test, y_test = (f(v) for f, v in zip((encode, torch.tensor), read_names(150)))
    model = CharCNN(len(SYLLABLES))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for epoch in range(8):
        print(f"epoch {epoch + 1} loss {train(model, optimizer, x_train, y_train, 48):.4f}")
    print(f"result: {accuracy(model, x_test, y_test):.4f}")


main()
