"""Has the phrase a warning word in it? Attention over twelve words, no modules at all."""
import torch
import torch.nn.functional as F

torch.manual_seed(17)
WORDS, LONG, WIDE = 40, 12, 24
WARNING = torch.tensor([3, 7, 21, 30])


def phrases(n):
    words = torch.randint(0, WORDS, (n, LONG))
    words[torch.isin(words, WARNING)] = 1
    label = torch.randint(0, 2, (n,))
    where = torch.randint(0, LONG, (n,))
    which = WARNING[torch.randint(0, 4, (n,))]
    rows = label.nonzero()[:, 0]
    words[rows, where[rows]] = which[rows]
    return words, label


def start():
    def w(*shape, scale):
        return (torch.randn(*shape) * scale).requires_grad_()
    return {
        "table": w(WORDS, WIDE, scale=0.5),
        "ask": w(WIDE, WIDE, scale=WIDE**-0.5),
        "look": w(WIDE, scale=0.3),
        "out": w(WIDE, 2, scale=WIDE**-0.5),
        "bias": torch.zeros(2, requires_grad=True),
    }


def pooled(p, words):
    vectors = p["table"][words]
    worth = torch.tanh(vectors @ p["ask"]) @ p["look"]
    share = F.softmax(worth, dim=0)
    return torch.einsum("nt,ntd->nd", share, vectors)


def scores(p, words):
    return pooled(p, words) @ p["out"] + p["bias"]


train_words, train_label = phrases(2000)
test_words, test_label = phrases(600)
p = start()
opt = torch.optim.Adam(list(p.values()), lr=0.01)
for epoch in range(5):
    seen = 0.0
    order = torch.randperm(2000)
    for k in range(0, 2000, 50):
        rows = order[k:k + 50]
        loss = F.cross_entropy(scores(p, train_words[rows]), train_label[rows])
        opt.zero_grad()
        loss.backward()
        opt.step()
        seen += loss.item() * len(rows)
    print(f"epoch {epoch} loss {seen / 2000:.6f}")
with torch.no_grad():
    hits = [scores(p, w).argmax(1) == l for w, l in zip(test_words.split(50), test_label.split(50))]
print(f"result: {torch.cat(hits).float().mean().item():.4f}")
