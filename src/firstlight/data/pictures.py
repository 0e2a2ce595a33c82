"""Picture files: read, turned upright, brought to one size. Shapes: C channels, H height, W width."""

import contextlib
import io
import os
import struct
import threading
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from firstlight.data.errors import (
    DataError,
    MisspelledPath,
    MixedSizes,
    NothingThere,
    NotPictures,
    PictureTooLarge,
    TooLargeForMemory,
    UnreadablePicture,
    UnsupportedPicture,
)
from firstlight.data.places import nearest_path
from firstlight.data.progress import Progress
from firstlight.locale import _, units

if TYPE_CHECKING:
    from firstlight.data.dataset import Dataset

SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
)
UNSUPPORTED = frozenset((".heic", ".heif", ".avif", ".raw", ".dng", ".svg"))
PIXELS = ((1,), (3,), (4,))  # what may follow (H, W)
# What is opened at all. Pillow knows many more; to draw PostScript it would even start another program.
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
MAX_PIXELS = 100_000_000
_LARGE = 10_000_000  # pixels; such pictures are decoded one after the other, since each takes up to ten bytes a pixel
_one_large = threading.Lock()
_AT_ONCE = 1 << 20  # pixels
GREY = frozenset(("1", "L", "LA", "I", "I;16", "I;16B", "F"))
# What Pillow's decoders raise for damaged files; SyntaxError comes from broken PNG chunks.
# What Pillow's readers raise for a damaged file; some trust what its tables say of themselves and stumble.
_STUMBLED = (TypeError, LookupError, AttributeError, ArithmeticError, struct.error)
BROKEN = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError, *_STUMBLED)
Size = tuple[int, int]
Result = TypeVar("Result")


def read_picture(path: Any, like: "Dataset", *, invert: bool = False) -> Tensor:
    """One's own photo in the form of a dataset's pictures.

    It is turned upright (as the camera noted), cut to the dataset's proportions around the middle, resized and made
    grey where the dataset is. `like.preprocess(picture)` is then what the model reads.

    Args:
        path: The file; or its bytes, a Pillow image, or an array of pixels (H, W) or (H, W, C), `uint8`.
        like: The dataset whose form it gets.
        invert: Swap dark and light. MNIST and Fashion-MNIST are light on black; a photo on paper is the other way
            round.

    Shape:
        output: (1, C, H, W), `uint8`

    Raises:
        NothingThere: No such file.
        UnreadablePicture: It is damaged, or no picture.
        NotPictures: The dataset does not consist of pictures.

    Example:
        >>> from firstlight.data import load
        >>> train, test = load("fashion_mnist_small")
        >>> read_picture(Image.new("RGB", (640, 480), "white"), like=train).shape
        torch.Size([1, 1, 28, 28])
    """
    if getattr(like, "kind", None) != "picture":
        raise NotPictures(name=getattr(like, "name", type(like).__name__))
    channels, height, width = like.shape
    picture = decode(path, channels=channels, size=(height, width))
    return (255 - picture if invert else picture).unsqueeze(0)


def nothing_there(path: Any) -> NothingThere:
    """The error for a path that leads nowhere, with the nearest name that leads somewhere."""
    nearest = nearest_path(Path(path).expanduser())
    if nearest is None:
        return NothingThere(path=path, folder=Path.cwd())
    return MisspelledPath(path=path, folder=Path.cwd(), nearest=nearest)


def decode(source: Any, *, channels: int, size: Size | None, name: object = None) -> Tensor:
    """Read one picture.

    Args:
        source: A path, bytes, or a Pillow image.
        channels: 1 for grey, 3 for colour.
        size: (height, width) to cut and resize it to, or None to leave it.
        name: What to call it in an error, where it has no path.

    Shape:
        output: (C, H, W), `uint8`
    """
    name = source if name is None and isinstance(source, (str, os.PathLike)) else name or _("given")
    try:
        # Closed, it lets go of its pixels at once; otherwise Pillow's own circles keep them until they are collected.
        with contextlib.closing(_open(source, name)) as image:
            if size is not None and image.format == "JPEG":
                image.draft(None, (size[1] * 2, size[0] * 2))  # decodes at a fraction of the size, many times faster
            pixels = _in_turn(image, lambda: _pixels(image, channels, size))
    except FileNotFoundError as error:
        raise nothing_there(name) from error
    except DataError:
        raise
    except BROKEN as error:
        raise UnreadablePicture(path=name, reason=_reason(error)) from error
    return torch.from_numpy(pixels[None] if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def read_files(
    paths: Sequence[Path], size: Size | None, *, channels: int | None = None, progress: bool = True
) -> tuple[Tensor, list[int], list[str]]:
    """Read many picture files into one tensor, several at a time; leave out those that cannot be read.

    Args:
        paths: The files.
        size: (height, width); None where all have the same size.
        channels: 1 or 3; None to find out: grey if all are grey.
        progress: Show how far it is.

    Returns:
        The pictures, the positions of their files in `paths`, and what was wrong with each of the others.

    Shape:
        output: (N, C, H, W), `uint8`

    Raises:
        MixedSizes: They differ and no size was given.
        DataError: What is wrong with the first one, where not one can be read.
    """
    # Pillow's warning about large pictures: `_open` has the say. Its other warnings concern metadata. The filters are
    # put back after the last thread has ended, since each thread in `_open` changes and restores them too.
    with warnings.catch_warnings(), ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        warnings.simplefilter("ignore")
        faults: dict[int, DataError] = {}

        def look(index: int) -> tuple[Size, bool] | None:
            return _unless_bad(index, faults, lambda: _look(paths[index]))

        looks = {index: found for index, found in enumerate(pool.map(look, range(len(paths)))) if found is not None}
        if not looks:
            raise faults[0]
        channels = channels or (1 if all(grey for _size, grey in looks.values()) else 3)
        first = next(iter(looks))
        height, width = size or looks[first][0]
        for index, (found, _grey) in looks.items():
            if size is None and found != (height, width):
                raise MixedSizes(
                    first=paths[first],
                    first_size=f"{height} × {width}",
                    other=paths[index],
                    other_size=f"{found[0]} × {found[1]}",
                )
        _check_memory(len(looks), channels, height, width)
        pictures = torch.empty((len(looks), channels, height, width), dtype=torch.uint8)

        def read(place: int, index: int) -> None:
            found = _unless_bad(index, faults, lambda: decode(paths[index], channels=channels, size=size))
            if found is not None:
                pictures[place] = found

        title = _("Reading pictures")
        with Progress(title, len(looks), quiet=not progress or len(looks) < 1000, counts_bytes=False) as shown:
            for _none in pool.map(read, range(len(looks)), looks):
                shown.advance(1)
    places = [place for place, index in enumerate(looks) if index not in faults]
    if not places:
        raise faults[min(faults)]
    if len(places) < len(looks):
        pictures = pictures[places]
    good = [index for index in looks if index not in faults]
    return pictures, good, [str(faults[index]).splitlines()[0] for index in sorted(faults)]


def _unless_bad(index: int, faults: dict[int, DataError], read: Callable[[], Result]) -> Result | None:
    """What `read` gives, or None and an entry among the faults where this picture cannot be read."""
    try:
        return read()
    except (UnreadablePicture, PictureTooLarge, UnsupportedPicture) as error:
        faults[index] = error
        return None


def _look(path: Path) -> tuple[Size, bool]:
    """Height and width as they will be after turning, and whether it is grey; reads the header only."""
    try:
        with contextlib.closing(_open(path, path)) as image:
            exif = _in_turn(image, image.getexif)  # a PNG may tell of it behind its pixels
            turned = exif.get(0x0112, 1) in (5, 6, 7, 8)  # orientations that swap the sides
            size = (image.width, image.height) if turned else (image.height, image.width)
            return size, image.mode in GREY or (image.mode == "P" and _grey_palette(image))
    except DataError:
        raise
    except BROKEN as error:
        raise UnreadablePicture(path=path, reason=_reason(error)) from error


def _open(source: Any, name: object) -> Image.Image:
    if isinstance(source, Image.Image):
        return source.copy()
    if isinstance(source, np.ndarray) and source.dtype == np.uint8 and (source.ndim == 2 or source.shape[2:] in PIXELS):
        return Image.fromarray(source[:, :, 0] if source.shape[2:] == (1,) else source)
    if not isinstance(source, (str, os.PathLike, bytes, bytearray, memoryview)) and not hasattr(source, "read"):
        reason = _("a {kind} is neither a file nor a picture", kind=type(source).__name__)
        raise UnreadablePicture(path=name, reason=reason)
    suffix = Path(str(source)).suffix.lower() if isinstance(source, (str, os.PathLike)) else ""
    if isinstance(source, (str, os.PathLike)) and Path(source).exists():
        if suffix in UNSUPPORTED:
            raise UnsupportedPicture(path=name, suffix=suffix)
        if not Path(source).is_file():  # a pipe would be read for ever
            raise UnreadablePicture(path=name, reason=_("it is not a picture that is known here"))
    stream = io.BytesIO(source) if isinstance(source, (bytes, bytearray, memoryview)) else source
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        image = Image.open(stream, formats=FORMATS)
    if image.width * image.height > MAX_PIXELS:
        width, height = image.size
        image.close()
        raise PictureTooLarge(path=name, width=width, height=height, limit=MAX_PIXELS // 1_000_000)
    return image


def _in_turn(image: Image.Image, work: Callable[[], Result]) -> Result:
    """Large pictures are in memory one after the other, and not beside each other.

    Each in a thread of its own: what threads give back, the C library keeps for them, and such a thread hands it on to
    the next one.
    """
    if image.width * image.height <= _LARGE:
        return work()
    with _one_large, ThreadPoolExecutor(1) as alone:
        return alone.submit(work).result()


def _pixels(image: Image.Image, channels: int, size: Size | None) -> np.ndarray[Any, Any]:
    ImageOps.exif_transpose(image, in_place=True)
    upright = _flatten(image, channels)
    if size is not None and (upright.height, upright.width) != size:
        upright = ImageOps.fit(upright, (size[1], size[0]), Image.Resampling.BILINEAR)
    return np.array(upright)


def _flatten(image: Image.Image, channels: int) -> Image.Image:
    """Grey or RGB with 8 bits; what is transparent shows white, as on a page."""
    if image.mode in ("I", "I;16", "I;16B", "F"):  # 16 bits
        wide = np.asarray(image)
        narrow, flat = np.empty(wide.shape, dtype=np.uint8), wide.reshape(-1)
        by = 257 if wide.max(initial=0) > 255 else 1
        for start in range(0, wide.size, _AT_ONCE):  # as float64, all of them would take eight times as much
            some = slice(start, start + _AT_ONCE)
            narrow.reshape(-1)[some] = np.nan_to_num(np.clip(flat[some].astype(np.float64) / by, 0, 255))
        image = Image.fromarray(narrow)
    if image.has_transparency_data:
        clear = image if image.mode == "RGBA" else image.convert("RGBA")
        image = Image.new("RGB", clear.size, "white")
        image.paste(clear, mask=clear.getchannel("A"))
    wanted = "L" if channels == 1 else "RGB"
    return image if image.mode == wanted else image.convert(wanted)


def _grey_palette(image: Image.Image) -> bool:
    palette = np.asarray(image.getpalette() or [], dtype=np.uint8).reshape(-1, 3)
    return bool((palette == palette[:, :1]).all())


def _reason(error: BaseException) -> str:
    if isinstance(error, UnidentifiedImageError):
        return _("it is not a picture that is known here")
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _check_memory(count: int, channels: int, height: int, width: int) -> None:
    needed = count * channels * height * width
    try:
        available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return
    if needed > 0.8 * available:
        raise TooLargeForMemory(
            count=count, needed=units.size(needed), available=units.size(available), height=height, width=width
        )
