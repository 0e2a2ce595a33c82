import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import Dataset, DataLoader

VOCAB, LENGTH, MASK = 17, 20, 17


def write_corpus(n, gen):
    """Each line counts upwards (modulo the vocabulary) in strides of one to six that change now and then."""
    stride = torch.randint(1, 7, (n, LENGTH), generator=gen)
    change = torch.rand(n, LENGTH, generator=gen) < 0.15
    for k in range(1, LENGTH):
        stride[:, k] = torch.where(change[:, k], stride[:, k], stride[:, k - 1])
    return (torch.randint(0, VOCAB, (n, 1), generator=gen) + stride.cumsum(1)) % VOCAB


class MaskedLines(Dataset):
    def __init__(self, lines, gen, rate=0.2):
        self.lines, self.gen, self.rate = lines, gen, rate

    def __len__(self):
        return len(self.lines)

    def __getitem__(self, i):
        tokens = self.lines[i]
        hide = torch.rand(LENGTH, generator=self.gen) < self.rate
        answer = torch.where(hide, tokens, -100)
        tokens[hide] = MASK
        return tokens, answer


class Filler(nn.Module):
    def __init__(self, d=64):
        super().__init__()
        self.token = nn.Embedding(VOCAB + 1, d)
        self.body = nn.ModuleList(nn.Conv1d(d, d, 5, padding=2) for _ in range(3))
        self.head = nn.Conv1d(d, VOCAB + 1, 1)

    def forward(self, tokens):
        h = self.token(tokens).transpose(1, 2)
        for conv in self.body:
            h = h + F.gelu(conv(h))
        return self.head(h)


def run_epoch(model, loader, opt):
    model.train()
    losses = []
    for tokens, answer in loader:
        opt.zero_grad()
        loss = F.cross_entropy(model(tokens), answer, ignore_index=-100)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


@torch.no_grad()
def fill_accuracy(model, loader):
    model.eval()
    right = asked = 0
    for tokens, answer in loader:
        hidden = answer != -100
        right += (model(tokens).argmax(1)[hidden] == answer[hidden]).sum().item()
        asked += hidden.sum().item()
    return right / asked


def main(epochs=10):
    torch.manual_seed(22)
    gen = torch.Generator().manual_seed(220)
    train = MaskedLines(write_corpus(2000, gen), torch.Generator().manual_seed(1))
    test = MaskedLines(write_corpus(600, gen), torch.Generator().manual_seed(2))
    model = Filler()
    opt = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
    loader = DataLoader(train, batch_size=80, shuffle=True)
    for epoch in range(epochs):
        print(f"epoch {epoch:2d} loss {run_epoch(model, loader, opt):.3f}")
    print(f"result: {fill_accuracy(model, DataLoader(test, batch_size=200)):.4f}")


if __name__ == "__main__":
    main()
