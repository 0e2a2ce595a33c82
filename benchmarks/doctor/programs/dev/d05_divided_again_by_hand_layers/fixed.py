"""Shape reader. Pictures are kept as bytes."""
import torch
from torch import nn


class Bytes:
    """Keeps pictures as bytes and gives batches of floats."""

    def __init__(self, n, seed):
        g = torch.Generator().manual_seed(seed)
        self.label = torch.randint(0, 4, (n,), generator=g)
        pics = torch.rand(n, 12, 12, generator=g) * 90
        for i, k in enumerate(self.label.tolist()):
            r, c = divmod(k, 2)
            pics[i, r * 6:r * 6 + 6, c * 6:c * 6 + 6] += 100
        self.pics = pics.to(torch.uint8)

    def __call__(self, idx):
        return self.pics[idx].float().div(255), self.label[idx]


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.ParameterList([nn.Parameter(torch.randn(144, 64) / 12), nn.Parameter(torch.randn(64, 4) / 8)])
        self.b = nn.ParameterList([nn.Parameter(torch.zeros(64)), nn.Parameter(torch.zeros(4))])

    def forward(self, pics):
        x = pics.flatten(1)
        x = torch.relu(x @ self.w[0] + self.b[0])
        return x @ self.w[1] + self.b[1]


def main():
    torch.manual_seed(8)
    train, test = Bytes(1500, 1), Bytes(400, 2)
    reader = Reader()
    opt = torch.optim.SGD(reader.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(4):
        reader.train()
        total = 0.0
        for idx in torch.randperm(1500).split(30):
            x, y = train(idx)
            loss = nn.functional.cross_entropy(reader(x), y)
            opt.zero_grad()
            loss.backward()
            opt.step()
            total += loss.item() * len(y)
        print(f"epoch {epoch}: {total / 1500:.6f}")
    reader.eval()
    with torch.no_grad():
        x, y = test(torch.arange(400))
        print(f"result: {(reader(x).argmax(1) == y).float().mean().item():.4f}")


main()
