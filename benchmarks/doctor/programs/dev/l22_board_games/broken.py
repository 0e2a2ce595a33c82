# Which board game will they like next? Pairwise ranking from play logs.
import numpy as np
import torch
import torch.nn.functional as F

PLAYERS, GAMES, HIDDEN = 150, 120, 6


def play_logs(rng):
    player = rng.normal(size=(PLAYERS, HIDDEN))
    game = rng.normal(size=(GAMES, HIDDEN))
    fame = rng.normal(size=GAMES)
    wish = player @ game.T + 0.7 * fame + rng.gumbel(size=(PLAYERS, GAMES))
    liked = np.argsort(-wish, axis=1)[:, :24]
    liked = rng.permuted(liked, axis=1)
    return liked[:, :19], liked[:, 19:]


def make_taste():
    users = torch.nn.Embedding(PLAYERS, 12)
    items = torch.nn.Embedding(GAMES, 12)
    fame = torch.nn.Embedding(GAMES, 1)
    torch.nn.init.normal_(users.weight, std=0.1)
    torch.nn.init.normal_(items.weight, std=0.1)
    torch.nn.init.zeros_(fame.weight)

    def taste(u, i):
        return (users(u) * items(i)).sum(-1) + fame(i).squeeze(-1)

    return taste, [users.weight, items.weight, fame.weight]


def preference_loss(liked, other):
    return F.logsigmoid(liked - other).mean()


def sample_other(u, known):
    j = torch.randint(0, GAMES, (len(u),))
    clash = known[u, j]
    while clash.any():
        j[clash] = torch.randint(0, GAMES, (int(clash.sum()),))
        clash = known[u, j]
    return j


def learn(taste, params, seen, known, epochs=14):
    opt = torch.optim.Adam(params, lr=5e-3, weight_decay=1e-4)
    users = torch.arange(PLAYERS).repeat_interleave(seen.shape[1])
    items = seen.flatten()
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(users)).split(100):
            u, i = users[rows], items[rows]
            j = sample_other(u, known)
            loss = preference_loss(taste(u, i), taste(u, j))
            opt.zero_grad()
            loss.backward()
            opt.step()
            total += loss.item() * len(rows)
        if epoch % 3 == 0:
            print(f"epoch {epoch:2d} loss {total / len(users):.4f}")


@torch.no_grad()
def auc(taste, hidden, known):
    score = taste(torch.arange(PLAYERS).unsqueeze(1), torch.arange(GAMES).unsqueeze(0))
    wins = []
    for player in range(PLAYERS):
        never = ~known[player]
        never[hidden[player]] = False
        wins.append((score[player, hidden[player]].unsqueeze(1) > score[player, never]).float().mean())
    return torch.stack(wins).mean().item()


if __name__ == "__main__":
    torch.manual_seed(33)
    seen, hidden = (torch.from_numpy(part) for part in play_logs(np.random.default_rng(33)))
    known = torch.zeros(PLAYERS, GAMES, dtype=torch.bool).scatter_(1, seen, True)
    taste, params = make_taste()
    learn(taste, params, seen, known)
    print(f"AUC on games hidden from training: {auc(taste, hidden, known):.4f}")
