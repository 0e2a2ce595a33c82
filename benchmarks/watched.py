"""The four works on which `fl.watch` is measured: plain models, plain batches, no firstlight.

Shapes: B batch, T time, W words. ResNet-18 is the one of He et al. 2015 with the first layer for pictures of 32 x 32: a
convolution of 3 x 3 with stride 1 and no pooling, as its section 4.2 has it for CIFAR-10.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

CLASSES = 10


class Block(nn.Module):
    """Two 3 x 3 convolutions around which the input is added."""

    def __init__(self, taken: int, given: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(taken, given, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(given)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(given, given, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(given)
        self.shortcut = nn.Sequential()
        if stride != 1 or taken != given:
            self.shortcut = nn.Sequential(nn.Conv2d(taken, given, 1, stride, bias=False), nn.BatchNorm2d(given))

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


class ResNet18(nn.Module):
    """Four stages of two blocks, 64 to 512 channels: 11,173,962 weights."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = nn.Sequential(Block(64, 64, 1), Block(64, 64, 1))
        self.layer2 = nn.Sequential(Block(64, 128, 2), Block(128, 128, 1))
        self.layer3 = nn.Sequential(Block(128, 256, 2), Block(256, 256, 1))
        self.layer4 = nn.Sequential(Block(256, 512, 2), Block(512, 512, 1))
        self.pool, self.flatten = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        self.fc = nn.Linear(512, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(self.flatten(self.pool(x)))


class Reader(nn.Module):
    """A small transformer encoder over sequences of 64 words, dropout included."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(1000, 128), nn.Parameter(0.02 * torch.randn(64, 128))
        layer = nn.TransformerEncoderLayer(128, 4, 256, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(128, CLASSES)

    def forward(self, words: Tensor) -> Tensor:
        return self.head(self.encoder(self.words(words) + self.places).mean(1))


@dataclass
class Work:
    """A model, the optimizer that it is trained with, and its samples.

    Attributes:
        model: Makes it; torch's seed decides the weights.
        optimizer: Makes it, of the weights.
        samples: Makes inputs and labels.
        batch: Samples in a batch.
        block: Steps that take a tenth to half a second on one core.
    """

    model: Callable[[], nn.Module]
    optimizer: Callable[[Iterator[nn.Parameter]], torch.optim.Optimizer]
    samples: Callable[[], tuple[Tensor, Tensor]]
    batch: int
    block: int

    def loader(self) -> DataLoader[tuple[Tensor, ...]]:
        """Shuffled batches, which the data set looks up whole: what it costs is not what is measured."""
        data = TensorDataset(*self.samples())
        return DataLoader(data, batch_size=None, sampler=BatchSampler(RandomSampler(data), self.batch, drop_last=True))


def _mlp() -> nn.Module:
    layers = [nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, CLASSES)]
    return nn.Sequential(*layers)


def _lenet() -> nn.Module:
    layers = [nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)]
    rest = [nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, CLASSES)]
    return nn.Sequential(*layers, *rest)


def _pictures(count: int, *shape: int) -> tuple[Tensor, Tensor]:
    labels = torch.arange(count) % CLASSES
    return torch.randn(count, *shape) + 0.1 * labels.view(-1, *(1 for _side in shape)), labels


def _sentences(count: int) -> tuple[Tensor, Tensor]:
    words = torch.randint(1000, (count, 64))
    return words, words[:, 0] % CLASSES


WORKS = {
    "mlp": Work(_mlp, lambda weights: torch.optim.SGD(weights, 0.05), lambda: _pictures(8192, 1, 28, 28), 128, 200),
    "lenet": Work(_lenet, lambda weights: torch.optim.SGD(weights, 0.01, momentum=0.9),
                  lambda: _pictures(4096, 3, 32, 32), 128, 16),
    "resnet18": Work(ResNet18, lambda weights: torch.optim.SGD(weights, 0.01, momentum=0.9),
                     lambda: _pictures(256, 3, 32, 32), 8, 2),
    "transformer": Work(Reader, lambda weights: torch.optim.AdamW(weights, 1e-3), lambda: _sentences(2048), 32, 4),
}  # fmt: skip
