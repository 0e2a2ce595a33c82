"""Fashion-MNIST, all of it."""

from pathlib import Path

from firstlight.data import mnist_like
from firstlight.data.card import Card, Download
from firstlight.data.sets import Samples
from firstlight.locale import Text

HOSTS = (
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",  # no TLS there; the SHA-256 decides
)
DEBIAN = Path("/usr/share/datasets/fashion-mnist")  # Debian's package dataset-fashion-mnist


def _download(name: str, size_bytes: int, sha256: str) -> Download:
    return Download(name, tuple(host + name for host in HOSTS), sha256, size_bytes)


classes = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")

card = Card(
    name="fashion_mnist",
    text=Text(
        what=(
            "70,000 grey pictures of clothes, 28 × 28 pixels, in 10 classes: 60,000 to train with, 10,000 to test with."
        ),
        why="As small as the digits of MNIST, but harder: shirts, pullovers and coats look alike.",
        do="Look at the mistakes of a trained network: most are among these three.",
    ),
    source="https://github.com/zalandoresearch/fashion-mnist",
    licence="MIT, © 2017 Zalando SE",
    citation="Xiao, Rasul, Vollgraf: Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning "
    "Algorithms. arXiv:1708.07747, 2017.",
    downloads=(
        _download(
            "train-images-idx3-ubyte.gz", 26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"
        ),
        _download(
            "train-labels-idx1-ubyte.gz", 29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"
        ),
        _download(
            "t10k-images-idx3-ubyte.gz", 4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"
        ),
        _download(
            "t10k-labels-idx1-ubyte.gz", 5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"
        ),
    ),
)


def samples(split: str, *, seed: int = 0, progress: bool = True) -> Samples:  # noqa: ARG001 (nothing here is random)
    """The pictures and labels of one split."""
    return Samples(*mnist_like.samples(card, "FashionMNIST", split, progress=progress, among=(DEBIAN,)))
