"""Character model of made-up names, after a well-known lecture: all parameters in one list."""
import random
import torch
import torch.nn.functional as F

random.seed(5)
torch.manual_seed(5)
VOWELS, CONSONANTS = "aeiou", "bdklmnrst"
names = ["".join(random.choice(CONSONANTS) + random.choice(VOWELS) for _ in range(random.randint(2, 3))) for _ in range(500)]
itos = ["."] + sorted(VOWELS + CONSONANTS)
stoi = {c: i for i, c in enumerate(itos)}
BLOCK = 3


def build(words):
    X, Y = [], []
    for w in words:
        context = [0] * BLOCK
        for ch in w + ".":
            X.append(context)
            Y.append(stoi[ch])
            context = context[1:] + [stoi[ch]]
    return torch.tensor(X), torch.tensor(Y)


Xtr, Ytr = build(names[:400])
Xte, Yte = build(names[400:])
C = torch.randn(len(itos), 8)
W1 = torch.randn(BLOCK * 8, 64) * 0.25
b1 = torch.zeros(64)
W2 = torch.randn(64, len(itos)) * 0.1
b2 = torch.zeros(len(itos))
params = [C, b1, W2, b2]
for p in [C, W1, b1, W2, b2]:
    p.requires_grad_()


def forward(X):
    emb = C[X].view(len(X), -1)
    h = torch.tanh(emb @ W1 + b1)
    return h @ W2 + b2


opt = torch.optim.Adam(params, lr=0.01)
track = []
for step in range(400):
    ix = torch.randint(0, len(Xtr), (64,))
    loss = F.cross_entropy(forward(Xtr[ix]), Ytr[ix])
    for p in [C, W1, b1, W2, b2]:
        p.grad = None
    loss.backward()
    opt.step()
    track.append(loss.item())
    if step % 100 == 99:
        print(f"{step}: {sum(track[-100:]) / 100:.6f}")
with torch.no_grad():
    print(f"result: {-F.cross_entropy(forward(Xte), Yte).item():.4f}")
