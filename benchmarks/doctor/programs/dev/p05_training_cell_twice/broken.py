# %%
import random
import torch
import torch.nn as nn

random.seed(4)
torch.manual_seed(4)

# %%
# which of two "authors" wrote eight symbols? Author 1 likes to repeat himself
def line(author):
    out = [random.randrange(12)]
    while len(out) < 8:
        again = random.random() < (0.6 if author else 0.15)
        out.append(out[-1] if again else random.randrange(12))
    return out

authors = [random.randrange(2) for _ in range(2000)]
lines = torch.tensor([line(a) for a in authors])
authors = torch.tensor(authors)

# %%
class Author(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(12, 10)
        self.conv = nn.Conv1d(10, 24, 2)
        self.fc = nn.Linear(24, 2)

    def forward(self, t):
        h = torch.relu(self.conv(self.emb(t).transpose(1, 2)))
        return self.fc(h.mean(dim=2))

net = Author()
opt = torch.optim.Adam(net.parameters(), lr=5e-3)

# %%
for epoch in range(4):
    net.train()
    loss_sum = 0.0
    for i in torch.randperm(1600).split(40):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(lines[i]), authors[i])
        loss.backward()
        opt.step()
        loss_sum += loss.item()
    print(f"epoch {epoch} loss {loss_sum / 40:.6f}")

# %%
net.eval()
with torch.no_grad():
    hit = (net(lines[1600:]).argmax(1) == authors[1600:]).float().mean().item()
print(f"result: {hit:.4f}")
