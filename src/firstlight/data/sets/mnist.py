"""MNIST: handwritten digits."""

from firstlight.data import mnist_like
from firstlight.data.card import Card, Download
from firstlight.data.sets import Samples
from firstlight.locale import Text

HOSTS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)


def _download(name: str, size_bytes: int, sha256: str) -> Download:
    return Download(name, tuple(host + name for host in HOSTS), sha256, size_bytes)


classes = tuple(str(digit) for digit in range(10))

card = Card(
    name="mnist",
    text=Text(
        what="70,000 grey pictures of handwritten digits, 28 × 28 pixels: 60,000 to train with, 10,000 to test with.",
        why="The best-known dataset of all; nearly every method works on it, so success on it says little.",
        do="Use fashion_mnist where it is too easy.",
    ),
    source="http://yann.lecun.com/exdb/mnist/",
    licence="CC BY-SA 3.0, © Yann LeCun and Corinna Cortes",
    citation="LeCun, Bottou, Bengio, Haffner: Gradient-Based Learning Applied to Document Recognition. "
    "Proceedings of the IEEE 86(11), 1998.",
    downloads=(
        _download(
            "train-images-idx3-ubyte.gz", 9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
        ),
        _download(
            "train-labels-idx1-ubyte.gz", 28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
        ),
        _download(
            "t10k-images-idx3-ubyte.gz", 1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
        ),
        _download(
            "t10k-labels-idx1-ubyte.gz", 4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
        ),
    ),
)


def samples(split: str, *, seed: int = 0, progress: bool = True) -> Samples:  # noqa: ARG001 (nothing here is random)
    """The pictures and labels of one split."""
    return Samples(*mnist_like.samples(card, "MNIST", split, progress=progress))
