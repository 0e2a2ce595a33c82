"""Part-of-speech tagging of a toy language with a bidirectional LSTM."""
import random

import torch
from torch import nn
import torch.nn.functional as F

TAGS = ["DET", "ADJ", "NOUN", "VERB", "ADV"]
LEXICON = {
    "DET": "ka lo mi".split(),
    "ADJ": "red bel tun sor hap wid".split(),
    "NOUN": "dog kes mon tal run lamp fen walk".split(),
    "VERB": "run walk bel sings fen jop lamp".split(),
    "ADV": "fastly tun sor oft nev".split(),
}
TEMPLATES = ["DET NOUN VERB", "DET ADJ NOUN VERB ADV", "DET NOUN VERB DET NOUN",
             "DET ADJ NOUN VERB DET ADJ NOUN", "DET NOUN ADV VERB"]
MAX_LEN = 8
PAD = 0


def corpus(n, dice):
    lines = []
    for _ in range(n):
        tags = dice.choice(TEMPLATES).split()
        lines.append(([dice.choice(LEXICON[t]) for t in tags], tags))
    return lines


def encode(lines, vocab):
    words = torch.full((len(lines), MAX_LEN), PAD)
    tags = torch.full((len(lines), MAX_LEN), -100)
    for i, (ws, ts) in enumerate(lines):
        words[i, :len(ws)] = torch.tensor([vocab[w] for w in ws])
        tags[i, :len(ts)] = torch.tensor([TAGS.index(t) for t in ts])
    return words, tags


class Tagger(nn.Module):
    def __init__(self, n_words):
        super().__init__()
        self.embed = nn.Embedding(n_words, 16, padding_idx=PAD)
        self.lstm = nn.LSTM(16, 24, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(48, len(TAGS))

    def forward(self, words):
        states, _ = self.lstm(self.embed(words))
        return self.fc(states)


def train(model, words, tags, epochs):
    loss_fn = nn.NLLLoss(ignore_index=-100)
    opt = torch.optim.Adam(model.parameters(), lr=5e-3)
    for epoch in range(epochs):
        losses = []
        for rows in torch.randperm(len(words)).split(40):
            opt.zero_grad()
            loss = loss_fn(model(words[rows]).transpose(1, 2), tags[rows])
            loss.backward()
            opt.step()
            losses.append(loss.item())
        print(f"[{epoch}] loss {sum(losses) / len(losses):.4f}")


def token_accuracy(model, words, tags):
    with torch.no_grad():
        guess = model(words).argmax(-1)
    real = tags != -100
    return (guess[real] == tags[real]).float().mean().item()


def main():
    torch.manual_seed(9)
    dice = random.Random(9)
    lines = list({" ".join(ws): (ws, ts) for ws, ts in corpus(2600, dice)}.values())
    vocab = {w: i for i, w in enumerate(sorted({w for ws in LEXICON.values() for w in ws}), start=1)}
    words, tags = encode(lines, vocab)
    order = torch.randperm(len(words))
    words, tags = words[order], tags[order]
    cut = int(0.8 * len(words))
    model = Tagger(len(vocab) + 1)
    train(model, words[:cut], tags[:cut], epochs=5)
    print(f"result: {token_accuracy(model, words[cut:], tags[cut:]):.4f}")


main()
