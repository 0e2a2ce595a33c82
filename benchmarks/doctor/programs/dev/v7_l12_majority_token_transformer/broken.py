import torch
from torch import nn, optim
from torch.optim.lr_scheduler import LambdaLR

VOCAB, LENGTH, WIDTH = 8, 18, 48


def make_sequences(n, gen):
    """Random tokens in which one token occurs clearly more often than every other one."""
    tokens = torch.randint(0, VOCAB, (n, LENGTH), generator=gen)
    winner = torch.randint(0, VOCAB, (n,), generator=gen)
    forced = torch.rand(n, LENGTH, generator=gen) < 0.3
    tokens = torch.where(forced, winner[:, None], tokens)
    counts = nn.functional.one_hot(tokens, VOCAB).sum(1)
    top = counts.topk(2, dim=1).values
    clear = top[:, 0] > top[:, 1]
    return tokens[clear], counts.argmax(1)[clear]


def stream(steps, batch_size, gen):
    for _ in range(steps):
        yield make_sequences(batch_size, gen)


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.token = nn.Embedding(VOCAB, WIDTH)
        self.place = nn.Parameter(torch.randn(LENGTH, WIDTH) * 0.02)
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 96, dropout=0.1, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(WIDTH), enable_nested_tensor=False)
        self.classify = nn.Linear(WIDTH, VOCAB)

    def forward(self, tokens):
        h = self.encoder(self.token(tokens) + self.place)
        return self.classify(h.mean(dim=1))


def warm_then_sqrt(warmup):
    return lambda t: min((t + 1) / warmup, (warmup / (t + 1)) ** 0.5)


def fit(model, steps, gen, lr=4e-3, warmup=30):
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.98))
    scheduler = LambdaLR(optimizer, warm_then_sqrt(warmup))
    model.train()
    for step, (tokens, target) in enumerate(stream(steps, 64, gen), start=1):
        optimizer.zero_grad()
        loss = criterion(model(tokens), target)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scheduler.step()
        optimizer.step()
        if step % 40 == 0:
            print(f"step {step:4d}  lr {scheduler.get_last_lr()[0]:.5f}  loss {loss.item():.4f}")


@torch.no_grad()
def evaluate(model, tokens, target):
    model.eval()
    hits = 0
    for a, b in zip(tokens.split(256), target.split(256)):
        hits += (model(a).argmax(1) == b).sum().item()
    return hits / len(target)


def main():
    torch.manual_seed(12)
    model = Reader()
    fit(model, 180, torch.Generator().manual_seed(1))
    test = make_sequences(2000, torch.Generator().manual_seed(2))
    print(f"result: {evaluate(model, *test):.4f}")


if __name__ == "__main__":
    main()
