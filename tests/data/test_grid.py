"""show()."""

import re
from html.parser import HTMLParser

import pytest
import torch

from firstlight.data import errors, load, show
from firstlight.data.grid import picture


class Checker(HTMLParser):
    """Every tag that opens closes, and every image says what it shows."""

    def __init__(self):
        super().__init__()
        self.open, self.images = [], []

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.images.append(dict(attrs))
        else:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def check(html):
    checker = Checker()
    checker.feed(html)
    assert checker.open == []
    assert not re.search(r"(?<![-\w])(color|background)\s*:", html)  # the page's own colours: dark or light
    return checker.images


@pytest.fixture(scope="module")
def small():
    return load("fashion_mnist_small")[0]


def test_a_dataset_shows_all_classes(small, capsys):
    shown = picture(small, 20)
    images = check(shown.html)
    assert len(images) == 20
    assert {image["alt"] for image in images} == set(small.classes)
    assert all("pixelated" in image["style"] for image in images)
    assert all(name in shown.text for name in small.classes)
    assert shown.png.startswith(b"\x89PNG")
    show(small, n=3)
    assert capsys.readouterr().out.startswith("3 of 10,000 samples from fashion_mnist_small (train)")


def test_batches_raw_and_prepared(small):
    inputs, labels = next(iter(small.batches(6)))
    for batch in ((inputs, labels), (small.inputs[:6], labels), [inputs, labels]):
        images = check(picture(batch, classes=small.classes).html)
        assert [image["alt"] for image in images] == [small.classes[k] for k in labels.tolist()]
    assert "6 of 6 samples" in picture((inputs, labels)).text
    assert len(check(picture(inputs).html)) == 6
    assert len(check(picture(inputs[:, 0]).html)) == 6
    assert len(check(picture(torch.rand(4, 3, 5, 5)).html)) == 4
    assert len(check(picture(torch.rand(4, 3, 5, 5) * 200).html)) == 4
    assert len(check(picture(small.batches(5)).html)) == 24


def test_names_are_escaped():
    names = ["<script>", "a&b"]
    train, _ = load((torch.zeros(4, 2, 2, dtype=torch.uint8), [0, 1] * 2), classes=names, test=0.5)
    html = picture(train).html
    assert "<script>" not in html
    assert {image["alt"] for image in check(html)} == set(names)


def test_tables():
    train, _ = load((torch.arange(240.0).view(20, 12), torch.arange(20) % 2), classes=["no", "yes"])
    shown = picture(train, 4)
    check(shown.html)
    assert shown.html.count("<tr>") == 5
    assert "and 2 more columns" in shown.text
    assert "yes" in shown.text
    assert picture(train.inputs[:3]).html.count("<tr>") == 4


def test_tables_keep_their_columns_with_wide_characters():
    train, _ = load((torch.arange(40.0).view(20, 2), torch.arange(20) % 2), classes=["no", "yes"])
    train.columns = ("高さ", "w")
    lines = picture(train, 2).text.splitlines()[1:]
    assert lines[0].startswith("高さ  w")
    assert all(line[4:6] == "  " for line in lines[1:])


def test_expressions():
    train, _ = load("arithmetic")
    shown = picture(train, 5)
    check(shown.html)
    assert str(train.inputs[0].operation) in shown.text
    assert len(shown.text.splitlines()) == 7
    assert len(picture(next(iter(train.batches(3)))).text.splitlines()) == 5


@pytest.mark.parametrize("what", [3, "x", torch.zeros(3), torch.zeros(0, 1, 2, 2), torch.zeros(2, 5, 3, 3), [], None])
def test_what_cannot_be_shown(what):
    with pytest.raises(errors.CannotShow):
        show(what)
