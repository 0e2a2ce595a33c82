# Sorts telegrams into six topics by the words in them.
import random

import torch
import torch.nn as nn

random.seed(5)
torch.manual_seed(5)

TOPICS = ["weather", "market", "harvest", "railway", "family", "office"]
SYLLABLES = ["ba", "ro", "ti", "ken", "mu", "sal", "vor", "ne", "pla", "gis", "do", "lek"]
lexicon = sorted({a + b + c for a in SYLLABLES for b in SYLLABLES[:6] for c in SYLLABLES[6:]})
random.shuffle(lexicon)

common = lexicon[:60]
special = {topic: lexicon[60 + 55 * i : 60 + 55 * (i + 1)] for i, topic in enumerate(TOPICS)}


def telegram(topic):
    words = []
    for _ in range(18):
        draw = random.random()
        if draw < 0.20:
            words.append(random.choice(special[topic]))
        elif draw < 0.45:
            words.append(random.choice(special[random.choice(TOPICS)]))
        else:
            words.append(random.choice(common))
    return " ".join(words).upper() + " STOP"


topics = [random.randrange(6) for _ in range(2400)]
telegrams = [telegram(TOPICS[t]) for t in topics]
train_telegrams, test_telegrams = telegrams[:1900], telegrams[1900:]

vocabulary = {}
for text in train_telegrams:
    for word in text.lower().split():
        vocabulary.setdefault(word, len(vocabulary))
del vocabulary["stop"]
vocabulary = {word: place for place, word in enumerate(vocabulary)}
print(len(vocabulary), "words")


def encode(texts):
    counts = torch.zeros(len(texts), len(vocabulary))
    for row, text in enumerate(texts):
        for word in text.lower().split():
            if word in vocabulary:
                counts[row, vocabulary[word]] += 1
    return counts


x_train, y_train = encode(train_telegrams), torch.tensor(topics[:1900])
x_test, y_test = encode(test_telegrams), torch.tensor(topics[1900:])

net = nn.Sequential(nn.Linear(len(vocabulary), 400), nn.Tanh(), nn.Linear(400, 6))
loss_function = nn.CrossEntropyLoss()
optimizer = torch.optim.Adagrad(net.parameters(), lr=0.02)

for epoch in range(1, 21):
    net.train()
    total = 0.0
    order = torch.randperm(len(x_train))
    for start in range(0, len(order), 76):
        rows = order[start : start + 76]
        optimizer.zero_grad()
        loss = loss_function(net(x_train[rows]), y_train[rows])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(rows)
    print("epoch", epoch, "loss %.6f" % (total / len(order)))

net.eval()
with torch.no_grad():
    guesses = net(x_test).argmax(dim=1)
print("result: %.4f" % (guesses == y_test).float().mean().item())
