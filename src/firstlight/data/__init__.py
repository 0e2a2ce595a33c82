"""What we learn from: `load` gives two `Dataset`s, `Dataset.batches` gives what a training step reads.

What this room promises to the others:

- `load(what, target=, size=, test=, seed=, progress=, classes=, ignore=)` returns `(train, test)`.
- A `Dataset` holds pictures as one `uint8` tensor (N, C, H, W), features as `float32` (N, F) or a list of trees;
  labels as `int64` (N,); `classes`, `card`, `name`, `split`; and `preprocess`, an `nn.Module` of plain operations with
  the statistics of the training split, which train and test share and which an exported model carries.
- `Batches` can be looped over again and again; `len()` is known; `Batches.__iter__` is an ordinary method. The order
  of a shuffled pass comes from torch's global random numbers unless `seed=` is given. A pass that is broken off does
  not count as a turn, so a look at the first batch disturbs no augmentation.
- Parts of a dataset (`subset`, `split_off`) share its store. `inputs` of a part makes a copy; `take`, `shape`, `kind`
  and `batches` do not.
- Every error is a `DataError`, and names the file, row or column.
"""

from firstlight.data.card import Card as Card
from firstlight.data.dataset import Batches as Batches
from firstlight.data.dataset import Dataset as Dataset
from firstlight.data.errors import DataError as DataError
from firstlight.data.grid import show as show
from firstlight.data.loading import load as load
from firstlight.data.pictures import read_picture as read_picture
from firstlight.data.preprocess import PrepareFeatures as PrepareFeatures
from firstlight.data.preprocess import PreparePictures as PreparePictures
from firstlight.data.trees import Tree as Tree

__all__ = [
    "Batches",
    "Card",
    "DataError",
    "Dataset",
    "PrepareFeatures",
    "PreparePictures",
    "Tree",
    "load",
    "read_picture",
    "show",
]
