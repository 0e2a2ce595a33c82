import random

import torch
from torch import nn
import torch.nn.functional as F

VERBS = "chop boil fry bake grate stir peel rinse".split()
FOODS = "onions carrots rice beans fish tofu pears squash leeks oats".split()
TOOLS = {"chop": "knife", "boil": "pot", "fry": "pan", "bake": "oven", "grate": "grater",
         "stir": "spoon", "peel": "peeler", "rinse": "sieve"}
TIMES = "two five ten twenty".split()


def recipe():
    verb, food = random.choice(VERBS), random.choice(FOODS)
    minutes = TIMES[VERBS.index(verb) % 4]
    start = ["take", "the", food] if random.random() < 0.5 else ["wash", "and", "dry", "the", food]
    return start + [verb, "the", food, "with", "the", TOOLS[verb], "for", minutes, "minutes", "."]


class TinyGPT(nn.Module):
    def __init__(self, vocab, context, dim=64, heads=4, depth=2):
        super().__init__()
        self.words = nn.Embedding(vocab, dim)
        self.places = nn.Embedding(context, dim)
        for table in (self.words, self.places):
            nn.init.normal_(table.weight, std=0.08)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(dim, heads, 2 * dim, dropout=0.0, batch_first=True, norm_first=True)
            for _ in range(depth))
        self.norm = nn.LayerNorm(dim)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(context))

    def forward(self, ids):
        h = self.words(ids) + self.places(torch.arange(ids.shape[1]))
        for block in self.blocks:
            h = block(h, src_mask=self.mask, is_causal=True)
        return self.norm(h) @ self.words.weight.T


class Writer:
    def __init__(self, context=16, batch=24, seed=6):
        random.seed(seed)
        torch.manual_seed(seed)
        self.context, self.batch = context, batch
        text = [w for _ in range(2500) for w in recipe()]
        self.lexicon = {w: i for i, w in enumerate(sorted(set(text)))}
        ids = torch.tensor([self.lexicon[w] for w in text])
        cut = int(0.9 * len(ids))
        self.train_ids, self.test_ids = ids[:cut], ids[cut:]
        self.model = TinyGPT(len(self.lexicon), context)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=3e-3, weight_decay=0.01)

    def sample(self):
        starts = torch.randint(len(self.train_ids) - self.context, (self.batch,)).tolist()
        rows = torch.stack([self.train_ids[s:s + self.context + 1] for s in starts])
        return rows[:, :-1], rows[:, 1:]

    def fit(self, steps):
        self.model.train()
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, steps)
        for step in range(steps):
            x, y = self.sample()
            loss = F.cross_entropy(self.model(x).flatten(0, 1), y.flatten())
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            schedule.step()
            if step % 60 == 0:
                print(f"step {step}: {loss.item():.4f}")

    @torch.no_grad()
    def next_word_accuracy(self):
        self.model.eval()
        n = (len(self.test_ids) - 1) // self.context * self.context
        x, y = self.test_ids[:n].view(-1, self.context), self.test_ids[1:n + 1].view(-1, self.context)
        return (self.model(x).argmax(-1) == y).float().mean().item()


if __name__ == "__main__":
    writer = Writer()
    writer.fit(300)
    print(f"result: {writer.next_word_accuracy():.4f}")
