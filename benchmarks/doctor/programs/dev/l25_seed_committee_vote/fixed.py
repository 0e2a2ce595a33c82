import torch
import torch.nn as nn

gen = torch.Generator().manual_seed(250)
torch.manual_seed(250)

# --- seeds of four kinds of clover, measured under a microscope ---
KINDS, MEASURES, MEMBERS = 4, 9, 5
centres = torch.randn(KINDS, MEASURES, generator=gen) * 1.1


def draw(n):
    kind = torch.randint(KINDS, (n,), generator=gen)
    x = centres[kind] + torch.randn(n, MEASURES, generator=gen)
    x[:, -2:] = x[:, -2:] * x[:, :2]
    return x, kind


x_train, k_train = draw(1600)
x_test, k_test = draw(800)
shift, scale = x_train.mean(0), x_train.std(0)
x_train, x_test = (x_train - shift) / scale, (x_test - shift) / scale


def new_member():
    return nn.Sequential(
        nn.Linear(MEASURES, 40), nn.ReLU(), nn.Dropout(0.1), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, KINDS)
    )


committee = [new_member() for _ in range(MEMBERS)]

for m in range(MEMBERS):
    member = committee[m]
    optimiser = torch.optim.Adam(member.parameters(), lr=0.004, weight_decay=1e-5)
    bag = torch.randint(len(x_train), (len(x_train),), generator=gen)
    member.train()
    for sweep in range(6):
        order = bag[torch.randperm(len(bag), generator=gen)]
        total = 0.0
        for rows in order.split(50):
            loss = nn.functional.cross_entropy(member(x_train[rows]), k_train[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item() * len(rows)
    print(f"member {m + 1}: loss of the last sweep {total / len(order):.3f}")

votes = torch.zeros(len(x_test), KINDS)
with torch.no_grad():
    for member in committee:
        member.eval()
        votes += member(x_test).softmax(dim=1)
hits = (votes.argmax(dim=1) == k_test).sum().item()
print(f"committee is right on {hits} of {len(k_test)} unseen seeds = {hits / len(k_test):.1%}")
