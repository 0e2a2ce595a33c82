import random
import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

random.seed(14)
torch.manual_seed(14)

HEADS = ["bar", "kel", "nor", "tal", "vin", "mor", "sel", "dun", "gar", "ost"]
LINKS = ["a", "en", "i", "or", "u", "el"]
TAILS = ["ford", "wick", "ham", "stead", "ton", "dale", "burg"]
every = sorted({h + l + m + t for h in HEADS for l in LINKS for m in HEADS for t in TAILS})
random.shuffle(every)
names = every[:2600]
train_names, test_names = names[:2100], names[2100:]

letters = ["<pad>", "<s>", "</s>"] + sorted(set("".join(train_names)))
code = {c: i for i, c in enumerate(letters)}

def encode(words):
    rows = [torch.tensor([1] + [code[c] for c in w] + [2]) for w in words]
    return pad_sequence(rows, batch_first=True)

train_ids, test_ids = encode(train_names), encode(test_names)

class Speller(nn.Module):
    def __init__(self, vocab, emb=24, hidden=64):
        super().__init__()
        self.emb = nn.Embedding(vocab, emb, padding_idx=0)
        self.gru = nn.GRU(emb, hidden, batch_first=True)
        self.out = nn.Linear(hidden, vocab)

    def forward(self, ids):
        return self.out(self.gru(self.emb(ids))[0])

batch_size = 64
base_lr = 0.02
learning_rate = base_lr * batch_size / 256

model = Speller(len(letters))
criterion = nn.CrossEntropyLoss(ignore_index=0)
optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)

for epoch in range(6):
    model.train()
    total = count = 0
    for ids in train_ids[torch.randperm(len(train_ids))].split(batch_size):
        optimizer.zero_grad()
        logits = model(ids[:, :-1])
        loss = criterion(logits.transpose(1, 2), ids[:, 1:])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        total += loss.item() * len(ids)
        count += len(ids)
    print(f"epoch {epoch}: {total / count:.3f}")

model.eval()
right = asked = 0
with torch.no_grad():
    for ids in test_ids.split(250):
        goal = ids[:, 1:]
        real = goal != 0
        right += (model(ids[:, :-1]).argmax(-1)[real] == goal[real]).sum().item()
        asked += real.sum().item()
print(f"result: {right / asked:.4f}")
