import torch
from torch import nn


class Tagger(nn.Module):
    def __init__(self, words, tags):
        super().__init__()
        self.embed = nn.Embedding(words, 16)
        self.rnn = nn.GRU(16, 20, batch_first=True, bidirectional=True)
        self.out = nn.Linear(40, tags)

    def forward(self, ids):
        return self.out(self.rnn(self.embed(ids))[0])


def sentences(n):
    ids = torch.randint(1, 30, (n, 10))
    left = torch.cat([torch.zeros(n, 1, dtype=torch.long), ids[:, :-1]], 1)
    tags = (ids % 3 + (left % 2) * 3) % 4
    lengths = torch.randint(5, 11, (n, 1))
    hidden = torch.arange(10) >= lengths
    return ids.masked_fill(hidden, 0), tags.masked_fill(hidden, -100)


torch.manual_seed(89)
ids, tags = sentences(1000)
ids_test, tags_test = sentences(250)
model = Tagger(30, 4)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
loss_fn = nn.CrossEntropyLoss(ignore_index=-100)
history = []
for epoch in range(5):
    model.train()
    for rows in torch.randperm(1000).split(40):
        loss = loss_fn(model(ids[rows]).transpose(1, 2), tags[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(loss.detach())
    print(f"epoch {epoch} loss {torch.stack(history[-25:]).mean().item():.6f}")
model.eval()
with torch.no_grad():
    guess = model(ids_test).argmax(-1)
known = tags_test != -100
print(f"result: {(guess[known] == tags_test[known]).float().mean().item():.4f}")
