import torch
from torch import nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pad_sequence

N_WORDS, N_TAGS, PAD, SKIP = 150, 6, 0, -100


def make_language(gen):
    """A hidden Markov chain of tags; two fifths of the words belong to two tags."""
    jump = torch.rand(N_TAGS, N_TAGS, generator=gen).pow(4) + 0.02
    home = torch.randint(0, N_TAGS, (N_WORDS,), generator=gen)
    other = torch.randint(0, N_TAGS, (N_WORDS,), generator=gen)
    emit = torch.full((N_TAGS, N_WORDS), 1e-4)
    emit[home, torch.arange(N_WORDS)] += 1.0
    second = torch.arange(N_WORDS)[torch.rand(N_WORDS, generator=gen) < 0.4]
    emit[other[second], second] += 1.0
    return jump, emit


def sample_sentences(n, language, gen):
    jump, emit = language
    out = []
    for _ in range(n):
        length = int(torch.randint(6, 15, (1,), generator=gen))
        tags = [int(torch.randint(0, N_TAGS, (1,), generator=gen))]
        for _ in range(length - 1):
            tags.append(int(torch.multinomial(jump[tags[-1]], 1, generator=gen)))
        words = torch.multinomial(emit[tags], 1, generator=gen).squeeze(1) + 1
        out.append((words, torch.tensor(tags)))
    return out


def iterate(sentences, size, gen=None):
    order = torch.randperm(len(sentences), generator=gen) if gen else torch.arange(len(sentences))
    for rows in order.split(size):
        words, tags = zip(*(sentences[i] for i in rows.tolist()))
        yield (pad_sequence(words, batch_first=True, padding_value=PAD),
               pad_sequence(tags, batch_first=True, padding_value=SKIP))


class Tagger(nn.Module):
    def __init__(self, dim=32, hidden=32):
        super().__init__()
        self.embed = nn.Embedding(N_WORDS + 1, dim, padding_idx=PAD)
        self.before = nn.Conv1d(dim, hidden, 5, padding=2)
        self.mix = nn.Conv1d(hidden, hidden, 3, padding=1)
        self.tag = nn.Linear(hidden, N_TAGS)

    def forward(self, words):
        h = F.relu(self.before(self.embed(words).transpose(1, 2)))
        h = F.relu(self.mix(h)).transpose(1, 2)
        return F.softmax(self.tag(h), dim=-1)


def train_epoch(model, optimizer, sentences, gen):
    model.train()
    total, tokens = 0.0, 0
    for words, tags in iterate(sentences, 32, gen):
        scores = model(words)
        loss = F.nll_loss(scores.transpose(1, 2), tags, ignore_index=SKIP)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        count = (tags != SKIP).sum().item()
        total, tokens = total + loss.item() * count, tokens + count
    return total / tokens


@torch.no_grad()
def token_accuracy(model, sentences):
    model.eval()
    hits = tokens = 0
    for words, tags in iterate(sentences, 100):
        real = tags != SKIP
        hits += (model(words).argmax(-1)[real] == tags[real]).sum().item()
        tokens += real.sum().item()
    return hits / tokens


if __name__ == "__main__":
    torch.manual_seed(5)
    gen = torch.Generator().manual_seed(55)
    language = make_language(gen)
    train, test = sample_sentences(1600, language, gen), sample_sentences(300, language, gen)
    model = Tagger()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(6):
        print(f"epoch {epoch}  loss {train_epoch(model, optimizer, train, gen):.4f}")
    print(f"result: {token_accuracy(model, test):.4f}")
