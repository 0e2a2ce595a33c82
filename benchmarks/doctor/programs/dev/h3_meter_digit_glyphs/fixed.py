import torch
from torch import nn
from torch.nn import functional as F

FONT = [
    "111101101101111", "010110010010111", "111001111100111", "111001011001111", "101101111001001",
    "111100111001111", "111100111101111", "111001010010010", "111101111101111", "111101111001111",
]


def render(count, generator):
    """Digits of an electricity meter, 16 x 16 pixels, shifted and noisy."""
    labels = torch.randint(0, 10, (count,), generator=generator)
    shapes = torch.tensor([[int(bit) for bit in glyph] for glyph in FONT], dtype=torch.float32).view(10, 1, 5, 3)
    large = F.interpolate(shapes, size=(11, 8), mode="nearest")
    pictures = torch.zeros(count, 1, 16, 16)
    tops = torch.randint(0, 6, (count,), generator=generator)
    lefts = torch.randint(0, 9, (count,), generator=generator)
    for i in range(count):
        pictures[i, :, tops[i] : tops[i] + 11, lefts[i] : lefts[i] + 8] = large[labels[i]]
    pictures += 0.2 * torch.randn(pictures.shape, generator=generator)
    return pictures, labels


def make_networks():
    eye = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
    )
    reader = nn.Sequential(nn.Linear(32 * 4 * 4, 64), nn.ReLU(), nn.Linear(64, 10))
    return eye, reader


def train(eye, reader, pictures, labels, epochs, batch_size):
    eye_optimizer = torch.optim.Adam(eye.parameters(), lr=5e-4)
    reader_optimizer = torch.optim.Adam(reader.parameters(), lr=2e-3)
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(labels)).split(batch_size):
            loss = F.cross_entropy(reader(eye(pictures[rows])), labels[rows])
            eye_optimizer.zero_grad()
            reader_optimizer.zero_grad()
            loss.backward()
            eye_optimizer.step()
            reader_optimizer.step()
            total += loss.item() * len(rows)
        print(f"epoch {epoch + 1} loss {total / len(labels):.6f}")


def share_right(eye, reader, pictures, labels):
    with torch.no_grad():
        return reader(eye(pictures)).argmax(dim=1).eq(labels).float().mean().item()


def main():
    torch.manual_seed(6)
    generator = torch.Generator().manual_seed(60)
    pictures, labels = render(2500, generator)
    test_pictures, test_labels = render(600, generator)
    eye, reader = make_networks()
    train(eye, reader, pictures, labels, epochs=10, batch_size=50)
    print(f"result: {share_right(eye, reader, test_pictures, test_labels):.4f}")


if __name__ == "__main__":
    main()
