"""Whose melody is it? Notes of five composers, read by a small transformer."""

import torch
import torch.nn.functional as F
from torch import nn

NOTES, STEPS, COMPOSERS = 24, 16, 5


def compose(count, habits):
    """Melodies as walks over the notes; each composer walks differently."""
    composer = torch.randint(0, COMPOSERS, (count,))
    note = torch.randint(0, NOTES, (count,))
    melody = [note]
    for _ in range(STEPS - 1):
        chances = habits[composer, note]
        note = torch.multinomial(chances, 1).squeeze(1)
        melody.append(note)
    return torch.stack(melody, dim=1), composer


class MelodyReader(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.note = nn.Embedding(NOTES, width)
        self.place = nn.Parameter(torch.randn(1, STEPS, width) * 0.02)
        self.block = nn.TransformerEncoderLayer(width, 4, 96, dropout=0.1, batch_first=True)
        self.composer = nn.Linear(width, COMPOSERS)

    def forward(self, melody):
        h = self.block(self.note(melody) + self.place)
        return self.composer(h.mean(dim=1))


def train_epoch(reader, optimizer, melodies, composers, batch_size):
    reader.train()
    losses = []
    for rows in torch.randperm(len(melodies)).split(batch_size):
        optimizer.zero_grad()
        loss = F.cross_entropy(reader(melodies[rows]), composers[rows])
        loss.backward()
        nn.utils.clip_grad_norm_(reader.parameters(), max_norm=1.0)
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


def test(reader, melodies, composers):
    reader.eval()
    with torch.no_grad():
        return (reader(melodies).argmax(dim=1) == composers).float().mean().item()


def main():
    torch.manual_seed(88)
    habits = torch.softmax(torch.randn(COMPOSERS, NOTES, NOTES) * 2.2, dim=-1)
    melodies, composers = compose(1800, habits)
    new_melodies, new_composers = compose(500, habits)

    reader = MelodyReader()
    optimizer = torch.optim.AdamW(reader.parameters(), lr=2e-3, weight_decay=0.01)
    for epoch in range(8):
        loss = train_epoch(reader, optimizer, melodies, composers, batch_size=60)
        print(f"epoch {epoch}: {loss:.6f}")
    print(f"result: {test(reader, new_melodies, new_composers):.4f}")


if __name__ == "__main__":
    main()
