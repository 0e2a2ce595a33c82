"""Build the embedded dataset: `python tools/build_fashion_mnist_small.py`.

Takes 1,000 training and 200 test pictures of each class of Fashion-MNIST, at random with a fixed seed, and lays them
out on one PNG sheet (100 to a row, training first), with the labels in a NumPy file beside it. The source is Debian's
package `dataset-fashion-mnist`, or any folder that holds the four files. Running it twice gives the same pixels.
"""

import argparse
import gzip
from pathlib import Path

import numpy as np
from PIL import Image

TARGET = Path(__file__).parents[1] / "src/firstlight/data/sets/embedded"
COUNTS = {"train": 10_000, "t10k": 2_000}
COLUMNS = 100


def read(path: Path, header_bytes: int) -> np.ndarray:
    """The bytes of an IDX file after its header."""
    with gzip.open(path) as stream:
        return np.frombuffer(stream.read(), np.uint8, offset=header_bytes)


def choose(source: Path, split: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """As many pictures of each class as of every other, in random order."""
    pictures = read(source / f"{split}-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
    labels = read(source / f"{split}-labels-idx1-ubyte.gz", 8)
    random = np.random.default_rng(2017)
    chosen = [random.choice(np.flatnonzero(labels == label), count // 10, replace=False) for label in range(10)]
    order = random.permutation(np.concatenate(chosen))
    return pictures[order], labels[order]


def main() -> None:
    """Read, choose, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--target", type=Path, default=TARGET)
    args = parser.parse_args()
    parts = [choose(args.source, split, count) for split, count in COUNTS.items()]
    pictures, labels = np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])
    rows = len(pictures) // COLUMNS
    sheet = pictures.reshape(rows, COLUMNS, 28, 28).transpose(0, 2, 1, 3).reshape(rows * 28, COLUMNS * 28)
    args.target.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet).save(args.target / "fashion_mnist_small.png", optimize=True)
    np.save(args.target / "fashion_mnist_small_labels.npy", labels)
    for path in sorted(args.target.iterdir()):
        print(f"{path.stat().st_size:>9,} bytes  {path}")


if __name__ == "__main__":
    main()
