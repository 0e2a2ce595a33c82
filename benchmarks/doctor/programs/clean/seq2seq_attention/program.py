import random

import torch
import torch.nn as nn
import torch.nn.functional as F

SOS, WORDS, LENGTH = 0, 12, 5


class EncoderRNN(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, hidden)
        self.gru = nn.GRU(hidden, hidden, batch_first=True)

    def forward(self, ids):
        return self.gru(self.embedding(ids))


class AttnDecoderRNN(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, hidden)
        self.Wa = nn.Linear(hidden, hidden)
        self.Ua = nn.Linear(hidden, hidden)
        self.Va = nn.Linear(hidden, 1)
        self.gru = nn.GRU(2 * hidden, hidden, batch_first=True)
        self.out = nn.Linear(hidden, WORDS)

    def forward_step(self, token, hidden, keys):
        scores = self.Va(torch.tanh(self.Wa(hidden.transpose(0, 1)) + self.Ua(keys))).transpose(1, 2)
        context = F.softmax(scores, dim=-1) @ keys
        output, hidden = self.gru(torch.cat([self.embedding(token), context], 2), hidden)
        return self.out(output), hidden

    def forward(self, keys, hidden, target=None):
        token = torch.full((len(keys), 1), SOS)
        steps = []
        for i in range(LENGTH):
            logits, hidden = self.forward_step(token, hidden, keys)
            steps.append(logits)
            token = target[:, i:i + 1] if target is not None else logits.argmax(-1).detach()
        return torch.cat(steps, 1)


def sentences(n):
    ids = torch.randint(1, WORDS, (n, LENGTH))
    return ids, ids.flip(1)


random.seed(1)
torch.manual_seed(1)
source, target = sentences(1600)
encoder, decoder = EncoderRNN(32), AttnDecoderRNN(32)
encoder_optimizer = torch.optim.Adam(encoder.parameters(), lr=0.008)
decoder_optimizer = torch.optim.Adam(decoder.parameters(), lr=0.008)
for epoch in range(7):
    total = 0.0
    for rows in torch.randperm(1600).split(50):
        keys, hidden = encoder(source[rows])
        forced = target[rows] if random.random() < 0.8 else None
        out = decoder(keys, hidden, forced)
        loss = F.cross_entropy(out.flatten(0, 1), target[rows].flatten())
        encoder_optimizer.zero_grad()
        decoder_optimizer.zero_grad()
        loss.backward()
        encoder_optimizer.step()
        decoder_optimizer.step()
        total += loss.item()
    print(f"epoch {epoch} loss {total / 32:.6f}")

test_source, test_target = sentences(300)
with torch.no_grad():
    said = decoder(*encoder(test_source)).argmax(-1)
print(f"result: {(said == test_target).float().mean().item():.4f}")
