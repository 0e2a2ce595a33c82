"""Which way does the ball go? Short clips, a small CNN per frame, a GRU over the frames."""
import torch
import torch.nn as nn

WAYS = torch.tensor([[0.0, 1.0], [0.0, -1.0], [1.0, 0.0], [-1.0, 0.0]])


def film(n, frames=6, side=12):
    way = torch.randint(0, 4, (n,))
    start = torch.rand(n, 2) * 3 + 4 - 1.5 * WAYS[way]
    t = torch.arange(frames, dtype=torch.float32)
    path = start[:, None] + WAYS[way][:, None] * t[None, :, None] * 0.7
    grid = torch.arange(side, dtype=torch.float32)
    dy = grid[None, None, :, None] - path[:, :, 0, None, None]
    dx = grid[None, None, None, :] - path[:, :, 1, None, None]
    clips = 2 * torch.exp(-(dy ** 2 + dx ** 2) / 3) + 0.4 * torch.randn(n, frames, side, side)
    return clips.unsqueeze(2), way


class ClipNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.frame_net = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(72, 12), nn.Tanh(),
        )
        self.gru = nn.GRU(12, 32, batch_first=True)
        self.head = nn.Linear(32, 4)

    def forward(self, clips):
        codes = [self.frame_net(clips[:, i]) for i in range(clips.size(1))]
        codes = torch.stack(codes, dim=1).data
        _, last = self.gru(codes)
        return self.head(last[-1])


def fit(model, clips, way, epochs=6, batch=40):
    optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
    for epoch in range(epochs):
        hits, total = 0, 0.0
        for pick in torch.randperm(len(clips)).split(batch):
            scores = model(clips[pick])
            loss = nn.functional.cross_entropy(scores, way[pick])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(pick)
            hits += (scores.argmax(1) == way[pick]).sum().item()
        print(f"{epoch}: loss {total / len(clips):.4f}, train accuracy {hits / len(clips):.3f}")


def main(seed=23):
    torch.manual_seed(seed)
    clips, way = film(1000)
    new_clips, new_way = film(400)
    model = ClipNet()
    fit(model, clips, way)
    with torch.no_grad():
        print(f"result: {(model(new_clips).argmax(1) == new_way).float().mean().item():.4f}")


if __name__ == "__main__":
    main()
