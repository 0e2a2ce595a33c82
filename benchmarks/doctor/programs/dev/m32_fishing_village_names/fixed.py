"""Letter model that invents names of fishing villages."""
import random

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pad_sequence

HEADS = ["nor", "ska", "tre", "pen", "ull", "gran", "kil", "bre", "har", "sol"]
MIDS = ["da", "re", "mi", "lo", "va", ""]
TAILS = ["vik", "ness", "wick", "haven", "by", "mouth", "oy"]
LETTERS = ["<pad>", "^", "$"] + sorted(set("".join(HEADS + MIDS + TAILS)))
CODE = {c: i for i, c in enumerate(LETTERS)}


def invent(rnd):
    head = rnd.choice(HEADS)
    # names of the north end differently from those of the south
    tails = TAILS[:4] if head[0] in "nsug" else TAILS[3:]
    return head + rnd.choice(MIDS) + rnd.choice(tails)


def encode(name):
    return torch.tensor([CODE["^"]] + [CODE[c] for c in name] + [CODE["$"]])


def chunks(names, size, rnd=None):
    names = list(names)
    if rnd is not None:
        rnd.shuffle(names)
    for k in range(0, len(names), size):
        grid = pad_sequence([encode(n) for n in names[k:k + size]], batch_first=True)
        yield grid[:, :-1], grid[:, 1:]


class LetterModel(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.emb = nn.Embedding(len(LETTERS), 24, padding_idx=0)
        self.gru = nn.GRU(24, width, batch_first=True)
        self.out = nn.Linear(width, len(LETTERS))

    def forward(self, x):
        h, _ = self.gru(self.emb(x))
        return self.out(h)


def letter_loss(net, x, t):
    logits = net(x)
    n = (t != 0).sum()
    loss = F.cross_entropy(logits.flatten(0, 1), t.flatten(), ignore_index=0, reduction="sum")
    return loss, n


def perplexity(net, names):
    net.eval()
    total, count = 0.0, 0
    with torch.no_grad():
        for x, t in chunks(names, 100):
            loss, n = letter_loss(net, x, t)
            total += loss.item()
            count += n.item()
    return torch.tensor(total / count).exp().item()


def train(net, names, rnd, epochs=8):
    opt = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(1, epochs + 1):
        net.train()
        total, count = 0.0, 0
        for x, t in chunks(names, 32, rnd):
            loss, n = letter_loss(net, x, t)
            opt.zero_grad()
            (loss / n).backward()
            opt.step()
            total += loss.item()
            count += n.item()
        print(f"epoch {epoch}: {total / count:.4f} nats per letter")


def main():
    torch.manual_seed(4)
    rnd = random.Random(4)
    names = [invent(rnd) for _ in range(1500)]
    held_out, train_names = names[:300], names[300:]
    net = LetterModel()
    train(net, train_names, rnd)
    print(f"perplexity of held-out names: {perplexity(net, held_out):.3f}")


if __name__ == "__main__":
    main()
