import torch
import torch.nn as nn


class MixerBlock(nn.Module):
    """Token mixing, then channel mixing, both residual (MLP-Mixer)."""

    def __init__(self, n_tokens, dim):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.tokens = nn.Sequential(nn.Linear(n_tokens, 32), nn.GELU(), nn.Linear(32, n_tokens))
        self.channels = nn.Sequential(nn.Linear(dim, 48), nn.GELU(), nn.Linear(48, dim))

    def forward(self, x):
        x = x + self.tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.norm2(x))


class Mixer(nn.Module):
    def __init__(self, n_classes, patch=4, size=16, dim=24, depth=3):
        super().__init__()
        n_tokens = (size // patch) ** 2
        self.embed = nn.Conv2d(1, dim, patch, stride=patch)
        self.blocks = nn.Sequential(*[MixerBlock(n_tokens, dim)] * depth)
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, n_classes)

    def forward(self, images):
        x = self.embed(images).flatten(2).transpose(1, 2)
        x = self.norm(self.blocks(x)).mean(dim=1)
        return self.head(x)


class TwoBlobs(torch.utils.data.Dataset):
    """Is the second blob right of, left of, above or below the first (bright) one?"""

    def __init__(self, n, seed, size=16):
        g = torch.Generator().manual_seed(seed)
        yy, xx = torch.meshgrid(torch.arange(size).float(), torch.arange(size).float(), indexing="ij")
        self.labels = torch.randint(4, (n,), generator=g)
        a = 5 + 6 * torch.rand(n, 2, generator=g)
        moves = torch.tensor([[0.0, 4.0], [0.0, -4.0], [-4.0, 0.0], [4.0, 0.0]])
        b = a + moves[self.labels] + 0.6 * torch.randn(n, 2, generator=g)

        def blob(c, height):
            return height * torch.exp(-((yy - c[:, 0, None, None]) ** 2 + (xx - c[:, 1, None, None]) ** 2) / 4)

        self.images = (blob(a, 2.0) + blob(b, 1.0) + 0.15 * torch.randn(n, size, size, generator=g))[:, None]

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.images[i], self.labels[i]


def main():
    torch.manual_seed(41)
    train = torch.utils.data.DataLoader(TwoBlobs(1600, seed=1), batch_size=64, shuffle=True)
    test = torch.utils.data.DataLoader(TwoBlobs(400, seed=2), batch_size=100)
    model = Mixer(n_classes=4)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    epochs = 10
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=epochs * len(train))
    for epoch in range(epochs):
        model.train()
        total = 0.0
        for images, labels in train:
            optimizer.zero_grad(set_to_none=True)
            loss = criterion(model(images), labels)
            loss.backward()
            optimizer.step()
            scheduler.step()
            total += loss.item() * len(labels)
        print(f"epoch {epoch + 1}/{epochs} loss {total / len(train.dataset):.4f}")

    model.eval()
    with torch.inference_mode():
        right = sum((model(images).argmax(1) == labels).sum().item() for images, labels in test)
    print(f"accuracy {right / len(test.dataset):.4f}")


if __name__ == "__main__":
    main()
