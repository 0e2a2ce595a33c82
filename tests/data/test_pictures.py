"""One's own photos."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from firstlight.data import errors, load, read_picture
from firstlight.data.pictures import decode


@pytest.fixture(scope="module")
def like():
    return load("fashion_mnist_small")[0]


def test_a_photo_gets_the_form_of_the_dataset(like, tmp_path):
    Image.new("RGB", (640, 480), "white").save(tmp_path / "shoe.jpg")
    picture = read_picture(tmp_path / "shoe.jpg", like=like)
    assert picture.dtype == torch.uint8
    assert picture.shape == (1, 1, 28, 28)
    assert int(picture.min()) > 250
    assert int(read_picture(str(tmp_path / "shoe.jpg"), like, invert=True).max()) < 5
    assert like.preprocess(picture).shape == (1, 1, 28, 28)
    colour = load((np.zeros((4, 9, 7, 3), np.uint8), [0, 1] * 2))[0]
    assert read_picture((tmp_path / "shoe.jpg").read_bytes(), like=colour).shape == (1, 3, 9, 7)


def test_the_middle_is_kept():
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 255
    assert decode(Image.fromarray(wide), channels=3, size=(10, 10)).min() == 255


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_every_kind_of_picture(mode, tmp_path):
    ramp = Image.fromarray(np.tile(np.linspace(0, 255, 32, dtype=np.uint8), (32, 1)))
    image = ramp.convert("RGB").convert(mode) if mode not in ("I;16", "LA", "I", "F") else ramp.convert(mode)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(ramp).astype(np.uint16) * 257)
    image.save(tmp_path / "x.tif")
    for channels in (1, 3):
        pixels = decode(tmp_path / "x.tif", channels=channels, size=None)
        assert pixels.shape == (channels, 32, 32)
        assert pixels[:, :, 0].max() < 10
        assert pixels[:, :, -1].min() > 245


def test_see_through_shows_white():
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    assert decode(buffer.getvalue(), channels=3, size=None).min() == 255


def test_what_is_wrong_is_said(like, tmp_path):
    with pytest.raises(errors.NothingThere, match=r"no\.png"):
        read_picture(tmp_path / "no.png", like)
    (tmp_path / "x.png").write_text("x")
    with pytest.raises(errors.UnreadablePicture, match="not a picture that is known"):
        read_picture(tmp_path / "x.png", like)
    (tmp_path / "x.heic").write_text("x")
    with pytest.raises(errors.UnsupportedPicture):
        read_picture(tmp_path / "x.heic", like)
    with pytest.raises(errors.UnreadablePicture, match="given"):
        read_picture(b"x", like)
    with pytest.raises(errors.NotPictures, match="arithmetic"):
        read_picture(tmp_path / "x.png", load("arithmetic")[0])


def test_pixels_in_an_array(like):
    grey = np.full((40, 30), 200, np.uint8)
    for pixels in (grey, grey[:, :, None], np.stack([grey] * 3, axis=2)):
        assert read_picture(pixels, like=like).float().mean() == 200


@pytest.mark.parametrize("what", [None, 5, [1, 2], np.zeros((4, 4)), np.zeros((2, 4, 4, 3), np.uint8)])
def test_what_is_no_picture(like, what):
    with pytest.raises(errors.UnreadablePicture, match="neither a file nor a picture"):
        read_picture(what, like=like)


def test_a_pair_of_datasets_is_no_dataset(like):
    with pytest.raises(errors.NotPictures, match="tuple"):
        read_picture(np.zeros((4, 4), np.uint8), like=(like, like))
