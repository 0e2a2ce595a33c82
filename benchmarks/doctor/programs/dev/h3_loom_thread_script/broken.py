# next thread of a weaving pattern, read as one long text: the LSTM remembers what came before the current piece
import torch
from torch import nn

torch.manual_seed(6)

THREADS = "abcdefgh"
motifs = ["abcba", "ddeed", "fghgf", "acegc", "bdfhb"]
follows = torch.tensor([[.0, .8, .1, .1, .0], [.1, .0, .8, .0, .1], [.1, .1, .0, .8, .0], [.0, .1, .0, .0, .9], [.9, .0, .1, .0, .0]])
cloth, current = [], 0
while len(cloth) < 13_000:
    cloth.extend(THREADS.index(c) for c in motifs[current])
    current = int(torch.multinomial(follows[current], 1))
cloth = torch.tensor(cloth[:13_000])
mistake = torch.rand(13_000) < 0.03
cloth[mistake] = torch.randint(len(THREADS), (int(mistake.sum()),))

ROWS, PIECE = 20, 20
woven, fresh = cloth[:10_000].view(ROWS, -1), cloth[10_000:].view(ROWS, -1)


class Weaver(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.embed = nn.Embedding(len(THREADS), 16)
        self.lstm = nn.LSTM(16, width, batch_first=True)
        self.next = nn.Linear(width, len(THREADS))

    def forward(self, ids, memory):
        out, memory = self.lstm(self.embed(ids), memory)
        return self.next(out), memory


net = Weaver(128)
adam = torch.optim.Adam(net.parameters(), lr=3e-3)
criterion = nn.CrossEntropyLoss()

for epoch in range(12):
    net.train()
    memory = None
    total, pieces = 0.0, 0
    for start in range(0, woven.size(1) - PIECE, PIECE):
        chunk = woven[:, start:start + PIECE]
        target = woven[:, start + 1:start + PIECE + 1]
        logits, memory = net(chunk, memory)
        loss = criterion(logits.flatten(0, 1), target.flatten())
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        adam.step()
        total += loss.item()
        pieces += 1
    print(f"epoch {epoch + 1}  loss {total / pieces:.6f}")

net.eval()
with torch.no_grad():
    logits, memory = net(fresh[:, :-1], None)
    share = (logits.argmax(-1) == fresh[:, 1:]).float().mean().item()
print(f"result: {share:.4f}")
