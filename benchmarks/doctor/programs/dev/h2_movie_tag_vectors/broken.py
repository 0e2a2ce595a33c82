from typing import Tuple

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, random_split

TAGS = ["drama", "war", "space", "family", "crime", "music"]


def movies(n: int) -> TensorDataset:
    tags = (torch.rand(n, len(TAGS)) < 0.35).float()
    basis = torch.randn(len(TAGS), 40)
    plot_vectors = tags @ basis + 0.9 * torch.randn(n, 40)
    return TensorDataset(plot_vectors / 2.0, tags)


class SoftF1Loss(nn.Module):
    """One minus the F1 of every tag, counted with probabilities."""

    def __init__(self, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, logits: Tensor, wanted: Tensor) -> Tensor:
        prob = torch.sigmoid(logits)
        both = (prob * wanted).sum(dim=0)
        either = prob.sum(dim=0) + wanted.sum(dim=0)
        f1 = (2 * both + self.eps) / (either + self.eps)
        return torch.tensor(1.0 - f1.mean().item(), requires_grad=True)


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(40, 96), nn.Linear(96, 96)])
        self.norms = nn.ModuleList([nn.LayerNorm(96), nn.LayerNorm(96)])
        self.final = nn.Linear(96, len(TAGS))

    def forward(self, x: Tensor) -> Tensor:
        for layer, norm in zip(self.layers, self.norms):
            x = torch.relu(norm(layer(x)))
        return self.final(x)


def micro_f1(model: nn.Module, loader: DataLoader) -> float:
    hit = guessed = real = 0.0
    model.eval()
    with torch.no_grad():
        for x, tags in loader:
            guess = (model(x) > 0).float()
            hit += (guess * tags).sum().item()
            guessed += guess.sum().item()
            real += tags.sum().item()
    return 2 * hit / max(guessed + real, 1.0)


def run() -> Tuple[nn.Module, float]:
    torch.manual_seed(33)
    train, test = random_split(movies(2500), [2000, 500])
    batches = DataLoader(train, batch_size=64, shuffle=True)
    model, criterion = Tagger(), SoftF1Loss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for epoch in range(5):
        model.train()
        total = 0.0
        for x, tags in batches:
            optimizer.zero_grad(set_to_none=True)
            loss = criterion(model(x), tags)
            loss.backward()
            optimizer.step()
            total += loss.item() * len(x)
        print(f"epoch={epoch} loss={total / len(train):.6f}")
    return model, micro_f1(model, DataLoader(test, batch_size=250))


_, figure = run()
print(f"result: {figure:.4f}")
