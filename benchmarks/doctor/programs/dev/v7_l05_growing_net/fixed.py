import torch
import torch.nn as nn
import torch.nn.functional as F


SEGMENTS = ["abcdef", "bc", "abdeg", "abcdg", "bcfg", "acdfg", "acdefg", "abc", "abcdefg", "abcdfg"]


def draw(digit):
    """A digit of a pocket calculator's display on 12 x 12 points, at a random place."""
    picture = 0.3 * torch.randn(12, 12)
    top, left = int(torch.randint(0, 3, (1,))), int(torch.randint(2, 5, (1,)))
    glyph = torch.zeros(9, 6)
    where = {"a": (0, slice(1, 5)), "g": (4, slice(1, 5)), "d": (8, slice(1, 5)),
             "f": (slice(1, 4), 0), "b": (slice(1, 4), 5), "e": (slice(5, 8), 0), "c": (slice(5, 8), 5)}
    for name in SEGMENTS[digit]:
        glyph[where[name]] = 0.7 + 0.6 * torch.rand(1)
    picture[top:top + 9, left:left + 6] += glyph
    return picture


def get_data(n_train=1400, n_test=600):
    y = torch.randint(0, 10, (n_train + n_test,))
    x = torch.stack([draw(int(d)) for d in y]).unsqueeze(1)
    x = (x - x[:n_train].mean()) / x[:n_train].std()
    return x[:n_train], y[:n_train], x[n_train:], y[n_train:]


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.GroupNorm(4, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return x + self.conv2(F.relu(self.conv1(self.norm(x))))


class GrowingNet(nn.Module):
    def __init__(self, channels=16):
        super().__init__()
        self.channels = channels
        self.stem = nn.Conv2d(1, channels, 3, padding=1)
        self.blocks = nn.ModuleList([Block(channels)])
        self.head = nn.Linear(channels * 36, 10)

    def grow(self):
        self.blocks.append(Block(self.channels))

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.head(F.max_pool2d(F.relu(x), 2).flatten(1))


def minibatches(x, y, size):
    for idx in torch.randperm(len(x)).split(size):
        yield x[idx], y[idx]


def train_epoch(net, opt, x, y):
    net.train()
    total = 0.0
    for xb, yb in minibatches(x, y, 32):
        opt.zero_grad()
        loss = F.cross_entropy(net(xb), yb)
        loss.backward()
        opt.step()
        total += loss.item() * len(xb)
    return total / len(x)


@torch.no_grad()
def accuracy(net, x, y):
    net.eval()
    return (net(x).argmax(1) == y).float().mean().item()


def main(stages=3, epochs_per_stage=4, lr=1e-3):
    torch.manual_seed(0)
    x, y, x_test, y_test = get_data()
    net = GrowingNet()
    opt = torch.optim.Adam(net.parameters(), lr=lr)
    for stage in range(stages):
        if stage > 0:
            net.grow()
            opt.add_param_group({"params": net.blocks[-1].parameters()})
        for epoch in range(epochs_per_stage):
            loss = train_epoch(net, opt, x, y)
        print(f"stage {stage}: {len(net.blocks)} blocks, loss {loss:.4f}")
    print(f"result: {accuracy(net, x_test, y_test):.4f}")


if __name__ == "__main__":
    main()
