import torch
import torch.nn as nn
import torch.nn.functional as F

SYMBOLS, START, LENGTH, HIDDEN = 12, 12, 5, 96


class EncoderRNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(SYMBOLS, 32)
        self.gru = nn.GRU(32, HIDDEN, batch_first=True)

    def forward(self, source):
        return self.gru(self.embedding(source))[1]


class DecoderRNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(SYMBOLS + 1, 32)
        self.gru = nn.GRU(32, HIDDEN, batch_first=True)
        self.out = nn.Linear(HIDDEN, SYMBOLS)

    def forward(self, previous, hidden):
        output, hidden = self.gru(self.embedding(previous), hidden)
        return self.out(output), hidden


def make_codes(n, generator):
    """A code and its mirrored, rotated answer."""
    source = torch.randint(0, SYMBOLS, (n, LENGTH), generator=generator)
    return source, (source.flip(1) + 3) % SYMBOLS


def train_step(source, target, encoder, decoder, encoder_optimizer, decoder_optimizer):
    encoder_optimizer.zero_grad()
    encoder_optimizer.zero_grad()

    hidden = encoder(source)
    start = torch.full((len(source), 1), START)
    logits, _ = decoder(torch.cat([start, target[:, :-1]], dim=1), hidden)
    loss = F.cross_entropy(logits.reshape(-1, SYMBOLS), target.reshape(-1))
    loss.backward()

    encoder_optimizer.step()
    decoder_optimizer.step()
    return loss.item()


def translate(source, encoder, decoder):
    hidden = encoder(source)
    token = torch.full((len(source), 1), START)
    answer = []
    for _ in range(LENGTH):
        logits, hidden = decoder(token, hidden)
        token = logits.argmax(-1)
        answer.append(token)
    return torch.cat(answer, dim=1)


def train_iters(pairs, encoder, decoder, n_iters, batch=64, print_every=100):
    encoder_optimizer = torch.optim.Adam(encoder.parameters(), lr=5e-3)
    decoder_optimizer = torch.optim.Adam(decoder.parameters(), lr=5e-3)
    encoder.train()
    decoder.train()
    source, target = pairs
    total = 0.0
    for it in range(1, n_iters + 1):
        rows = torch.randint(0, len(source), (batch,))
        total += train_step(source[rows], target[rows], encoder, decoder, encoder_optimizer, decoder_optimizer)
        if it % print_every == 0:
            print(f"{it:5d} {total / print_every:.4f}")
            total = 0.0


def evaluate(pairs, encoder, decoder):
    encoder.eval()
    decoder.eval()
    source, target = pairs
    with torch.no_grad():
        guess = torch.cat([translate(part, encoder, decoder) for part in source.split(200)])
    return (guess == target).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(2)
    generator = torch.Generator().manual_seed(40)
    source, target = make_codes(8000, generator)
    unique, rank = torch.unique(source, dim=0, return_inverse=True)
    held_out = rank % 10 == 0  # the same code is never on both sides
    encoder, decoder = EncoderRNN(), DecoderRNN()
    train_iters((source[~held_out], target[~held_out]), encoder, decoder, 500)
    print(f"result: {evaluate((source[held_out], target[held_out]), encoder, decoder):.4f}")
