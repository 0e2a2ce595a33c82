# Notices of a ferry company, sorted into five topics by a GRU.
import random

import torch
import torch.nn as nn
import torch.nn.functional as F

TOPICS = {
    "delay": "late fog wait engine minutes storm slow repair tide behind".split(),
    "fares": "ticket price adult child return discount card pay euro seat".split(),
    "safety": "vest drill alarm exit crew boat stairs smoke rail hatch".split(),
    "food": "coffee soup bar lunch kitchen menu bread tea cake closed".split(),
    "route": "island pier north harbour bay stop lighthouse passage dock west".split(),
}
COMMON = "the a on for to please all we our will be today deck passengers ferry is at and of with".split()
VOCAB = {w: i + 1 for i, w in enumerate(sorted({w for ws in TOPICS.values() for w in ws} | set(COMMON)))}
LENGTH = 18


def write_notice(topic, words):
    own = TOPICS[topic]
    other = random.choice(list(TOPICS))
    text = []
    for _ in range(words):
        r = random.random()
        text.append(random.choice(own if r < 0.24 else TOPICS[other] if r < 0.36 else COMMON))
    return text


def make_corpus(n):
    names = list(TOPICS)
    ids = torch.zeros(n, LENGTH, dtype=torch.long)
    topics = torch.zeros(n, dtype=torch.long)
    for i in range(n):
        t = random.randrange(len(names))
        notice = write_notice(names[t], random.randint(12, LENGTH))
        ids[i, : len(notice)] = torch.tensor([VOCAB[w] for w in notice])
        topics[i] = t
    return ids, topics


def make_model(width=64):
    return nn.ModuleDict({
        "emb": nn.Embedding(len(VOCAB) + 1, 48, padding_idx=0),
        "gru": nn.GRU(48, width, batch_first=True, bidirectional=True),
        "out": nn.Linear(2 * width, len(TOPICS)),
    })


def predict(model, ids):
    states, _ = model["gru"](model["emb"](ids))
    pooled = states.masked_fill((ids == 0).unsqueeze(-1), -1.0).amax(dim=1)
    return F.log_softmax(model["out"](pooled), dim=1)


def train(model, ids, topics, epochs, batch=50):
    opt = torch.optim.RMSprop(model.parameters(), lr=1e-3)
    for epoch in range(epochs):
        model.train()
        perm, losses = torch.randperm(len(ids)), []
        for pick in perm.split(batch):
            scores = predict(model, ids[pick])
            loss = F.nll_loss(scores, topics[pick])
            opt.zero_grad()
            loss.backward()
            opt.step()
            losses.append(loss.item())
        print("epoch", epoch + 1, "loss", format(sum(losses) / len(losses), ".6f"))


def test(model, ids, topics):
    model.eval()
    correct = 0
    with torch.no_grad():
        for a, b in zip(ids.split(40), topics.split(40)):
            correct += (predict(model, a).argmax(1) == b).sum().item()
    return correct / len(ids)


if __name__ == "__main__":
    random.seed(0)
    torch.manual_seed(0)
    ids, topics = make_corpus(1700)
    model = make_model()
    train(model, ids[:1300], topics[:1300], epochs=7)
    print("result:", format(test(model, ids[1300:], topics[1300:]), ".4f"))
