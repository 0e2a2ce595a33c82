import copy
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class MothNet(nn.Module):
    def __init__(self, kinds: int = 6) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), nn.ReLU())
        self.body = nn.Sequential(nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.BatchNorm2d(32), nn.ReLU())
        self.drop = nn.Dropout(0.25)
        self.fc = nn.Linear(32 * 25, kinds)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.drop(self.body(self.stem(x)).flatten(1)))


def trap_pictures(count: int, seed: int) -> TensorDataset:
    wings = torch.rand(6, 10, 5, generator=torch.Generator().manual_seed(1234))
    g = torch.Generator().manual_seed(seed)
    kind = torch.randint(0, 6, (count,), generator=g)
    half = nn.functional.interpolate(wings[kind].unsqueeze(1), size=(20, 10), mode="bilinear")
    whole = torch.cat([half, half.flip(3)], dim=3) - 0.5
    return TensorDataset(whole + 0.8 * torch.randn(whole.shape, generator=g), kind)


class Average:
    """Exponential moving average of the weights."""

    def __init__(self, model: nn.Module, keep: float = 0.98) -> None:
        self.shadow, self.keep = copy.deepcopy(model), keep

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        for old, new in zip(self.shadow.parameters(), model.parameters()):
            old.lerp_(new, 1 - self.keep)
        for old, new in zip(self.shadow.buffers(), model.buffers()):
            old.copy_(new)


class Training:
    def __init__(self, data: TensorDataset) -> None:
        self.loader = DataLoader(data, batch_size=48, shuffle=True)
        self.model = MothNet()
        self.average = Average(self.model)
        self.opt = torch.optim.SGD(self.model.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)

    def run(self, epochs: int, path: Path) -> None:
        for epoch in range(epochs):
            self.model.train()
            losses: list[float] = []
            for pictures, kind in self.loader:
                loss = nn.functional.cross_entropy(self.model(pictures), kind)
                self.opt.zero_grad()
                loss.backward()
                self.opt.step()
                self.average.update(self.model)
                losses.append(loss.item())
            print(f"epoch {epoch} {sum(losses) / len(losses):.6f}")
        torch.save(self.average.shadow.state_dict(), path)


class Trap:
    def __init__(self, path: Path) -> None:
        self.model = self.restore(path)

    @staticmethod
    def restore(path: Path) -> MothNet:
        model = MothNet()
        model.load_state_dict(torch.load(path))
        return model

    def name(self, pictures: Tensor) -> Tensor:
        with torch.no_grad():
            logits = self.model(pictures)
        return logits.argmax(dim=1)


if __name__ == "__main__":
    torch.manual_seed(23)
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "moths.pt"
        Training(trap_pictures(1500, seed=1)).run(4, weights)
        trap = Trap(weights)
    hits = sum((trap.name(p) == k).sum().item() for p, k in DataLoader(trap_pictures(500, seed=2), batch_size=100))
    print(f"result: {hits / 500:.4f}")
