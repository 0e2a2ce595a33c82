import torch
from torch import nn

TEAMS = 6


def draw_seasons(n, gen):
    """A season: six teams with four figures each; the answer is every team's place in the table."""
    form = torch.randn(n, TEAMS, 4, generator=gen)
    strength = form[..., 0] + 0.8 * form[..., 1] - 0.6 * form[..., 2] * form[..., 3]
    strength = strength + 0.05 * torch.randn(n, TEAMS, generator=gen)
    place = strength.argsort(dim=1, descending=True).argsort(dim=1)
    return form, place


class TableModel(nn.Module):
    def __init__(self, d=64):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(4, d), nn.GELU(), nn.Linear(d, d))
        self.versus = nn.Sequential(nn.Linear(2 * d, d), nn.GELU(), nn.Linear(d, d))
        self.out = nn.Sequential(nn.LayerNorm(d), nn.Linear(d, d), nn.GELU(), nn.Linear(d, TEAMS))

    def forward(self, form):
        h = self.embed(form)
        mine = h.unsqueeze(2).expand(-1, -1, TEAMS, -1)
        other = h.unsqueeze(1).expand(-1, TEAMS, -1, -1)
        duel = self.versus(torch.cat([mine, other], dim=-1)).sum(2)
        return self.out(duel)


def seasons_in_batches(form, place, size):
    for rows in torch.randperm(len(form)).split(size):
        yield form[rows], place[rows]


def train(model, form, place, epochs, lr):
    opt = torch.optim.AdamW(model.parameters(), lr=lr)
    loss_fn = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        model.train()
        total = 0.0
        for f, p in seasons_in_batches(form, place, 100):
            opt.zero_grad()
            loss = loss_fn(model(f).flatten(0, 1), p.flatten())
            loss.backward()
            opt.step()
            total += loss.item() * len(f)
        print(f"epoch {epoch:2d} loss {total / len(form):.4f}")


def evaluate(model, form, place):
    model.eval()
    right = count = 0
    with torch.no_grad():
        for f, p in zip(form.split(200), place.split(200)):
            guess = model(f).argmax(dim=2)
            right += guess.eq(p).sum().item()
            count += p.numel()
    return right / count


if __name__ == "__main__":
    torch.manual_seed(5)
    gen = torch.Generator().manual_seed(55)
    train_form, train_place = draw_seasons(3000, gen)
    test_form, test_place = draw_seasons(800, gen)
    mean, std = train_form.mean((0, 1)), train_form.std((0, 1))
    model = TableModel()
    train(model, (train_form - mean) / std, train_place, epochs=12, lr=2e-3)
    print(f"result: {evaluate(model, (test_form - mean) / std, test_place):.4f}")
