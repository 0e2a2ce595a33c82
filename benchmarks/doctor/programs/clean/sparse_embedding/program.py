import torch
from torch import nn


class Ratings(nn.Module):
    def __init__(self, people, films, width=8):
        super().__init__()
        self.people = nn.Embedding(people, width, sparse=True)
        self.films = nn.Embedding(films, width, sparse=True)
        for table in (self.people, self.films):
            nn.init.normal_(table.weight, std=0.3)
        self.mlp = nn.Sequential(nn.Linear(width, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, who, what):
        return self.mlp(self.people(who) * self.films(what)).squeeze(1)


torch.manual_seed(69)
P, M, N = 60, 40, 3000
taste, style = torch.randn(P, 2), torch.randn(M, 2)
pairs = torch.cartesian_prod(torch.arange(P), torch.arange(M))
pairs = pairs[torch.randperm(len(pairs))]
likes = ((taste[pairs[:, 0]] * style[pairs[:, 1]]).sum(1) + 0.2 * torch.randn(len(pairs)) > 0).float()
train, test = slice(0, 2000), slice(2000, 2400)

model = Ratings(P, M)
sparse = torch.optim.SparseAdam([model.people.weight, model.films.weight], lr=0.03)
dense = torch.optim.AdamW(model.mlp.parameters(), lr=0.01)
loss_fn = nn.BCEWithLogitsLoss()
for epoch in range(10):
    total = 0.0
    for rows in torch.randperm(2000).split(50):
        loss = loss_fn(model(pairs[rows, 0], pairs[rows, 1]), likes[rows])
        for o in (sparse, dense):
            o.zero_grad()
        loss.backward()
        for o in (sparse, dense):
            o.step()
        total += loss.item() / 40
    print(f"epoch {epoch} loss {total:.6f}")
with torch.no_grad():
    said = (model(pairs[test, 0], pairs[test, 1]) > 0).float()
print(f"result: {(said == likes[test]).float().mean().item():.4f}")
