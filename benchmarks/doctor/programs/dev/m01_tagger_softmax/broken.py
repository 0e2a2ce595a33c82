"""Word-by-word tagging with a bidirectional GRU: a token's tag depends on its predecessor."""
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn


@dataclass
class TaggerConfig:
    n_words: int = 40
    n_tags: int = 4
    length: int = 12
    embed: int = 16
    hidden: int = 24
    betas: tuple = field(default=(0.9, 0.99))


def sentences(cfg: TaggerConfig, n: int, gen: torch.Generator):
    words = torch.randint(0, cfg.n_words, (n, cfg.length), generator=gen)
    before = torch.roll(words, 1, dims=1)
    before[:, 0] = 0
    tags = (words % 2) * 2 + (before < cfg.n_words // 2).long()
    return words, tags


class BiGRUTagger(nn.Module):
    def __init__(self, cfg: TaggerConfig):
        super().__init__()
        self.lookup = nn.Embedding(cfg.n_words, cfg.embed)
        self.encoder = nn.GRU(cfg.embed, cfg.hidden, batch_first=True, bidirectional=True)
        self.emission = nn.Linear(2 * cfg.hidden, cfg.n_tags)

    def forward(self, words: Tensor) -> Tensor:
        states, _ = self.encoder(self.lookup(words))
        return self.emission(states).softmax(dim=-1)


def tagging_loss(scores: Tensor, tags: Tensor) -> Tensor:
    return nn.functional.cross_entropy(scores.transpose(1, 2), tags)


def run(cfg: TaggerConfig, steps: int = 160, batch: int = 40) -> float:
    gen = torch.Generator().manual_seed(13)
    train_words, train_tags = sentences(cfg, 1500, gen)
    test_words, test_tags = sentences(cfg, 300, gen)
    tagger = BiGRUTagger(cfg)
    optimizer = torch.optim.Adam(tagger.parameters(), lr=1e-2, betas=cfg.betas)
    for step in range(1, steps + 1):
        pick = torch.randint(0, len(train_words), (batch,), generator=gen)
        loss = tagging_loss(tagger(train_words[pick]), train_tags[pick])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if step % 40 == 0:
            print(f"step {step}: {loss.item():.4f}")
    tagger.eval()
    with torch.no_grad():
        return (tagger(test_words).argmax(-1) == test_tags).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(13)
    print(f"result: {run(TaggerConfig()):.4f}")
