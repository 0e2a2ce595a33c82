# Spam or not? Bag of hashed words + a small conv over the word order.
import zlib

import numpy as np
import torch
import torch.nn.functional as F

torch.manual_seed(9)
rs = np.random.RandomState(9)

HAM = "meeting tomorrow lunch report thanks project budget regards notes agenda call monday team draft".split()
SPAM = "winner free prize click money offer cash urgent claim bonus credit casino deal cheap".split()
GLUE = "the a you we to for of is and please your this now will have with on at it".split()
BUCKETS = 512


def write_mail():
    spam = rs.rand() < 0.5
    words = list(rs.choice(GLUE, 14)) + list(rs.choice(SPAM if spam else HAM, 3)) + list(rs.choice(HAM + SPAM, 3))
    rs.shuffle(words)
    return " ".join(words), int(spam)


def hash_words(mail):
    return [zlib.crc32(w.encode()) % BUCKETS for w in mail.split()]


mails = [write_mail() for _ in range(2000)]
X = torch.tensor([hash_words(text) for text, _ in mails])
Y = torch.tensor([spam for _, spam in mails], dtype=torch.float32)
X_tr, Y_tr, X_te, Y_te = X[:1600], Y[:1600], X[1600:], Y[1600:]


class SpamNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = torch.nn.Embedding(BUCKETS, 24)
        self.conv = torch.nn.Conv1d(24, 32, 3, padding=1)
        self.fc1 = torch.nn.Linear(32, 32)
        self.fc2 = torch.nn.Linear(32, 1)

    def forward(self, ids):
        z = F.relu(self.conv(self.emb(ids).transpose(1, 2)))
        z = F.relu(self.fc1(z.mean(dim=2)))
        return self.fc2(z).squeeze(1)


net = SpamNet()
opt = torch.optim.Adam(net.parameters(), lr=0.003)

for ep in range(8):
    net.train()
    tot, ok = 0.0, 0
    for i in torch.randperm(len(X_tr)).split(50):
        out = net(X_tr[i])
        loss = F.binary_cross_entropy_with_logits(out, Y_tr[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
        tot += loss.item() * len(i)
        ok += ((out > 0) == (Y_tr[i] > 0.5)).sum().item()
    print("ep", ep, "loss %.4f" % (tot / len(X_tr)), "acc %.4f" % (ok / len(X_tr)))

net.eval()
with torch.no_grad():
    acc = ((net(X_te) > 0) == (Y_te > 0.5)).float().mean().item()
print("test acc %.4f" % acc)
