"""What every program here shares: the network, the data as torchvision gives it, and the check that it learned.

The network and the preprocessing are those of PyTorch's CIFAR-10 tutorial ("Training a Classifier"). The transforms are
torchvision's own: `ToTensor` and `Normalize`, called for one PIL image at a time by a `DataLoader`.
"""

import os
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

try:
    import torchvision
except RuntimeError:
    # torchvision's wheel is built for another build of the same torch, so its compiled operators are not loaded, and
    # Python files that describe two of them stumble. Transforms of images need none: with the names known, they run.
    _names = torch.library.Library("torchvision", "DEF")
    _names.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _names.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision
from torchvision import transforms

BATCH = int(os.environ.get("BENCH_BATCH", "128"))
EPOCHS = int(os.environ.get("BENCH_EPOCHS", "1"))
PICTURES = int(os.environ.get("BENCH_PICTURES", "50000"))  # the first so many of the training split
WORKERS = int(os.environ.get("BENCH_WORKERS", "0"))
FOLDER = Path(os.environ.get("BENCH_CIFAR", Path(__file__).parents[1] / ".data" / "arrays"))
transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))])


class CIFAR10(Dataset):
    """torchvision.datasets.CIFAR10, reading arrays: the original takes files with the official checksums only."""

    def __init__(self, train: bool, transform=None) -> None:
        split = "train" if train else "test"
        self.data = np.load(FOLDER / f"{split}_pictures.npy")  # (N, 32, 32, 3), uint8
        self.targets = np.load(FOLDER / f"{split}_labels.npy").tolist()
        if train:
            self.data, self.targets = self.data[:PICTURES], self.targets[:PICTURES]
        self.transform = transform

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int):
        img, target = self.data[index], self.targets[index]
        img = Image.fromarray(img)  # as torchvision does, to be consistent with its other datasets
        if self.transform is not None:
            img = self.transform(img)
        return img, target


class Net(nn.Module):
    """The tutorial's network, a LeNet of 62,006 weights."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


def loader(**options) -> DataLoader:
    return DataLoader(
        CIFAR10(train=True, transform=transform), batch_size=BATCH, shuffle=True, num_workers=WORKERS, **options
    )


def accuracy(model: nn.Module) -> float:
    """On the test split, outside of every clock: whole batches, because this is not what is compared."""
    data = CIFAR10(train=False)
    pictures = torch.from_numpy(data.data).permute(0, 3, 1, 2).float().div(255).sub(0.5).div(0.5)
    model.eval()
    with torch.no_grad():
        guessed = torch.cat([model(part).argmax(1) for part in pictures.split(1000)])
    return (guessed == torch.tensor(data.targets)).float().mean().item()


def clock() -> float:
    """Start the clock. What torch loads with the first optimizer, a second or so, is loaded before."""
    import torch._dynamo  # noqa: F401

    return time.perf_counter()


def versions(*packages: str) -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("torch", *packages)} | {"torchvision": torchvision.__version__}


def seen() -> int:
    """Samples trained on."""
    return EPOCHS * PICTURES
