"""A picture in three forms, and PNG files that other programs read."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from firstlight.picture import Picture, img, in_notebook, png


@pytest.mark.parametrize("shape", [(4, 5), (1, 4, 5), (3, 4, 5), (4, 5, 3), (4, 5, 1)])
def test_png_keeps_every_pixel(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    read = np.asarray(Image.open(io.BytesIO(png(pixels))))
    expected = pixels.transpose(1, 2, 0) if shape[0] in (1, 3) and len(shape) == 3 else pixels
    np.testing.assert_array_equal(read, expected.squeeze())


def test_scaling_repeats_pixels():
    pixels = np.array([[0, 255]], np.uint8)
    read = np.asarray(Image.open(io.BytesIO(png(pixels, scale=3))))
    np.testing.assert_array_equal(read, pixels.repeat(3, axis=0).repeat(3, axis=1))


def test_img_carries_the_file_and_escapes_the_description():
    tag = img(b"data", alt='a "cat" <b>', style="width: 3px")
    assert base64.b64decode(re.search(r"base64,([^\"]+)", tag)[1]) == b"data"
    assert "&quot;cat&quot; &lt;b&gt;" in tag


def test_outside_a_notebook_the_words_are_printed(capsys):
    assert not in_notebook()
    Picture(html="<b>hi</b>", text="hi").display()
    assert capsys.readouterr().out == "hi\n"


def test_bundle_leaves_out_what_is_not_there():
    assert Picture(html="h", text="t").bundle() == {"text/html": "h", "text/plain": "t"}
    assert Picture(html="h", text="t", png=b"p")._repr_mimebundle_()["image/png"] == base64.b64encode(b"p").decode()


def test_inside_ipython_it_is_published():
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    shell = InteractiveShell.instance()
    try:
        shell.kernel = object()
        assert in_notebook()
        with capture_output() as captured:
            Picture(html="<b>hi</b>", text="hi").display()
        assert captured.outputs[0].data == {"text/html": "<b>hi</b>", "text/plain": "hi"}
    finally:
        InteractiveShell.clear_instance()
