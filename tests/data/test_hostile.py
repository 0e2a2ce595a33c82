"""Files that want to do harm: the short form of `benchmarks/reliability/hostile.py`, and who may call what."""

import ast
import io
import json
import os
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import firstlight as fl
from firstlight.data import errors, tables
from firstlight.data.cifar import _batch, _unpack
from firstlight.data.idx import read_idx
from firstlight.data.pickles import read_pickle
from firstlight.data.pictures import decode
from tests.data import makers

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "firstlight"
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does, and needs pipes and devices")


@LINUX
@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "kind", ["checkpoint/", "archive/", "npz/", "picture/", "pickle/", "idx/", "notebook/", "cache/"]
)
def test_nothing_is_run_and_all_is_bounded(kind, tmp_path):
    words = [sys.executable, "-m", "benchmarks.reliability.hostile", "--short", "--json", "--only", kind]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)}
    said = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    found = json.loads(said.stdout)
    assert len(found) >= 3
    assert [f"{one['case']}: {one['fault']} {one['error']}" for one in found if one["fault"]] == []


def calls():
    """Every call in our source, and where."""
    files = sorted(SOURCE.rglob("*.py"))
    assert len(files) > 100
    for path in files:
        text = path.read_text(encoding="utf-8")
        trees = [ast.parse(text)]
        for node in ast.walk(trees[0]):  # programs that we give to a learner stand in strings
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and ".load(" in node.value:
                try:
                    trees.append(ast.parse(node.value))
                except SyntaxError:
                    continue
        for tree in trees:
            for node in ast.walk(tree):
                if isinstance(node, ast.Call):
                    yield path.relative_to(SOURCE).as_posix(), node


def test_no_file_is_unpickled_with_code_enabled():
    found, torch_loads = [], 0
    for path, call in calls():
        name = ast.unparse(call.func)
        given = {word.arg: ast.unparse(word.value) for word in call.keywords}
        if name == "torch.load":
            torch_loads += 1
            if given.get("weights_only", "True") != "True":  # the default of torch 2.6, our oldest
                found.append(f"{path}: {ast.unparse(call)}")
        elif name in ("np.load", "numpy.load"):
            if given.get("allow_pickle", "False") != "False":
                found.append(f"{path}: {ast.unparse(call)}")
        elif name in ("pickle.load", "pickle.loads", "pickle.Unpickler", "joblib.load", "dill.load", "marshal.loads"):
            found.append(f"{path}: {ast.unparse(call)}")
    assert found == []
    assert torch_loads >= 1, "the lesson loads its weights"


def test_no_reader_calls_torch_load(monkeypatch, tmp_path):
    """At run time too: whatever a learner names, torch.load and NumPy's pickles are left alone."""

    def never(*_words, **_options):
        raise AssertionError("torch.load was called on a learner's behalf")

    torch.save({"w": torch.ones(2)}, tmp_path / "weights.pt")
    monkeypatch.setattr(torch, "load", never)
    monkeypatch.setattr("pickle.load", never)
    monkeypatch.setattr("pickle.loads", never)
    (tmp_path / "weights.npz").write_bytes((tmp_path / "weights.pt").read_bytes())
    for name in ("weights.pt", "weights.npz"):
        with pytest.raises(errors.DataError, match="weights"):
            fl.load(tmp_path / name)
    np.savez(tmp_path / "good.npz", X=np.arange(40.0).reshape(20, 2), y=np.arange(20) % 2)
    assert len(fl.load(tmp_path / "good.npz")[0]) == 16
    makers.cifar10(tmp_path)
    assert len(fl.load(tmp_path / "cifar-10-batches-py")[0]) == 100


@pytest.mark.parametrize("place", [1 << 28, (1 << 31) - 1])
def test_a_pickle_takes_no_memory_for_places_that_it_does_not_use(tmp_path, place):
    with pytest.raises(errors.DamagedFile, match="LONG_BINPUT"):
        read_pickle(tmp_path / "data", b"\x80\x02Nr" + place.to_bytes(4, "little") + b".")


def test_labels_with_a_thousand_digits_are_refused_in_words(tmp_path):
    number = (10**4000).to_bytes(1700, "little")
    good = makers.python2_pickle({b"data": np.zeros((2, 3072), np.uint8), b"labels": [7, 7]})
    long = b"\x8b" + len(number).to_bytes(4, "little") + number
    with pytest.raises(errors.LabelOutOfRange, match="data_batch_1"):
        _batch(tmp_path / "data_batch_1", good.replace(b"J\x07\0\0\0", long), 10)


def test_postscript_is_no_picture(tmp_path):
    (tmp_path / "drawing.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    )
    with pytest.raises(errors.UnreadablePicture, match="not a picture"):
        decode(tmp_path / "drawing.png", channels=3, size=None)


@LINUX
@pytest.mark.parametrize("name", ["one.png", "one.csv", "one.npz"])
def test_pipes_and_devices_are_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    read = (lambda path: decode(path, channels=3, size=None)) if name == "one.png" else fl.load
    with pytest.raises(errors.DataError, match=name):
        read(tmp_path / name)
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(errors.DataError, match=name):
        read(tmp_path / name)


@pytest.mark.parametrize("mode", ["I", "I;16", "F"])
def test_many_rows_of_deep_pixels_are_what_few_are(mode):
    pixels = np.arange(600 * 3).reshape(600, 3) * 30
    image = Image.fromarray(pixels.astype({"I": np.int32, "I;16": np.uint16, "F": np.float32}[mode]))
    found = decode(image, channels=1, size=None)[0].numpy()
    assert np.array_equal(found, np.clip(pixels / 257, 0, 255).astype(np.uint8))


def test_a_tiff_whose_pixels_begin_at_a_fraction(tmp_path):
    """Found by `benchmarks.reliability.fuzz`: Pillow takes the type of a place from the file, and stumbles."""
    written = io.BytesIO()
    Image.new("L", (8, 8)).save(written, "TIFF")
    content = bytearray(written.getvalue())
    at = content.index(struct.pack("<HHI", 273, 4, 1))
    content[at + 2 : at + 12] = struct.pack("<HII", 5, 1, len(content))
    content += struct.pack("<II", 8, 1)
    (tmp_path / "bad.tif").write_bytes(content)
    with pytest.raises(errors.UnreadablePicture, match=r"bad\.tif"):
        decode(tmp_path / "bad.tif", channels=1, size=None)


def test_what_is_transparent_shows_white():
    image = Image.new("RGBA", (3, 1), (10, 20, 30, 255))
    image.putpixel((1, 0), (10, 20, 30, 0))
    image.putpixel((2, 0), (0, 0, 0, 128))
    assert decode(image, channels=3, size=None)[0, 0].tolist()[:2] == [10, 255]
    assert abs(int(decode(image, channels=3, size=None)[0, 0, 2]) - 127) <= 1


def test_tables_have_ends(monkeypatch, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("x,kind\n" + ",".join("1" * 300))
    monkeypatch.setattr(tables, "_LONGEST_LINE", 200)
    with pytest.raises(errors.UnreadableTable, match=r"table\.csv.*line is too long"):
        fl.load(path, target="kind")
    path.write_text("x,y,z,kind\n" + "1,2,3,a\n" * 5)
    monkeypatch.setattr(tables, "MOST_COLUMNS", 3)
    with pytest.raises(errors.UnreadableTable, match="4 values instead of 3"):
        fl.load(path, target="kind")
    monkeypatch.setattr(tables, "MOST_COLUMNS", 4)
    monkeypatch.setattr(tables, "_CELL", 1 << 60)
    with pytest.raises(errors.UnreadableTable, match="does not fit"):
        fl.load(path, target="kind")


def test_a_table_with_a_kind_for_each_row(monkeypatch, tmp_path):
    monkeypatch.setattr(tables, "MOST_CLASSES", 3)
    (tmp_path / "table.csv").write_text("x,kind\n1,a\n2,b\n3,c\n4,d\n")
    with pytest.raises(errors.LabelsNotClasses, match="4 different texts"):
        fl.load(tmp_path / "table.csv", target="kind")


@pytest.mark.parametrize("row", [0, 1, 900])
def test_the_byte_that_is_not_utf8_is_named(tmp_path, row):
    rows = [b"x,kind"] + [b"%d,a" % number for number in range(1000)]
    rows[row] += b"\xe9"
    (tmp_path / "table.csv").write_bytes(b"\xef\xbb\xbf" + b"\n".join(rows))
    with pytest.raises(errors.NotUtf8) as caught:
        fl.load(tmp_path / "table.csv", target="kind")
    assert caught.value.values["byte"] == (tmp_path / "table.csv").read_bytes().index(b"\xe9")


@pytest.mark.parametrize("shape", [(0, 28, 28), (1 << 31, 28, 28)])
def test_idx_files_have_bounds(tmp_path, shape):
    header = b"\0\0\x08\x03" + b"".join(side.to_bytes(4, "big") for side in shape)
    (tmp_path / "images").write_bytes(header)
    with pytest.raises(errors.DamagedFile, match="shape"):
        read_idx(tmp_path / "images", 3)


def test_an_archive_is_unpacked_so_far_and_no_further(monkeypatch, tmp_path):
    import tarfile

    with tarfile.open(tmp_path / "some.tar.gz", "w:gz") as tar:
        for name in ("else", "wanted"):
            info = tarfile.TarInfo(name)
            info.size = 3_000_000
            tar.addfile(info, _Zeros())
    assert set(_unpack(tmp_path / "some.tar.gz", "inner", {"wanted"})) == {"wanted"}
    monkeypatch.setattr("firstlight.data.cifar._MOST_OF_ALL", 2_000_000)
    with pytest.raises(errors.DamagedFile, match=r"some\.tar\.gz.*damaged: > "):
        _unpack(tmp_path / "some.tar.gz", "inner", {"wanted"})


class _Zeros:
    def read(self, size):
        return bytes(size)


def test_an_archive_of_arrays_that_is_a_bomb(monkeypatch, tmp_path):
    np.savez_compressed(tmp_path / "bomb.npz", X=np.zeros((4000, 500)), y=np.arange(4000) % 2)
    assert len(fl.load(tmp_path / "bomb.npz")[0]) == 3200
    monkeypatch.setattr("firstlight.data.loading._LARGE", 1 << 20)
    with pytest.raises(errors.DamagedFile, match=r"bomb\.npz.*16\.0 MB"):
        fl.load(tmp_path / "bomb.npz")


def test_a_wide_picture_of_deep_pixels_takes_no_more_than_a_high_one(monkeypatch):
    """Found by fuzzing: 8,323,124 × 11 pixels of 16 bits took 3.3 GB, since rows were what was done at once."""
    wide = np.arange(5000, dtype=np.uint16).reshape(2, 2500) * 13
    expected = decode(Image.fromarray(wide), channels=1, size=None)
    assert np.array_equal(expected[0].numpy(), (wide / 257).astype(np.uint8))
    done = []
    monkeypatch.setattr("firstlight.data.pictures._AT_ONCE", 700)
    monkeypatch.setattr(
        np, "clip", lambda some, low, high, clip=np.clip: done.append(some.size) or clip(some, low, high)
    )
    assert torch.equal(decode(Image.fromarray(wide), channels=1, size=None), expected)
    assert max(done) == 700


@pytest.fixture
def peak(monkeypatch):
    """The most memory, in bytes, that the rows of a table took until it was refused; what finds the separator apart."""
    taken = []
    rows_of = tables._rows

    def rows(*words):
        tracemalloc.start()
        try:
            return rows_of(*words)
        finally:
            taken.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()

    monkeypatch.setattr(tables, "_rows", rows)
    return taken


@pytest.mark.parametrize(("limit", "reason"), [("_LONGEST_LINE", "line is too long"), ("available", "does not fit")])
def test_a_row_that_goes_on_over_many_lines_has_an_end(monkeypatch, tmp_path, peak, limit, reason):
    (tmp_path / "table.csv").write_text('x,kind\n1,"a' + '"\n2,"\nb' * 10 + '"\n3' + ',"\na"' * 300_000)
    if limit == "available":
        monkeypatch.setattr(tables.psutil, "virtual_memory", lambda: SimpleNamespace(available=1_000_000))
    else:
        monkeypatch.setattr(tables, limit, 20_000)
    with pytest.raises(errors.UnreadableTable, match=reason):
        tables.read_csv(tmp_path / "table.csv")
    assert peak[0] < 2_000_000


@pytest.mark.parametrize("word", ["{}.123456789", "{}🙂", "{}" + "x" * 5000], ids=["numbers", "letters", "long"])
def test_words_are_counted_before_they_fill_the_memory(monkeypatch, tmp_path, peak, word):
    lines = 300 if len(word) > 5000 else 20_000
    rows = "".join(f"{word.format(number)},{word.format(-number)}\n" for number in range(lines))
    (tmp_path / "table.csv").write_text("x,kind\n" + rows, encoding="utf-8")
    room = 3_000_000
    monkeypatch.setattr(tables.psutil, "virtual_memory", lambda: SimpleNamespace(available=room))
    with pytest.raises(errors.UnreadableTable, match="does not fit"):
        tables.read_csv(tmp_path / "table.csv")
    assert peak[0] < room
    room = 30_000_000
    assert tables.read_csv(tmp_path / "table.csv").count == lines


def test_few_words_in_many_rows_fit(monkeypatch, tmp_path):
    """What is counted is what is kept: a word that comes again, and again after many others, costs its place only."""
    monkeypatch.setattr(tables, "_KNOWN", 2000)
    monkeypatch.setattr(tables.psutil, "virtual_memory", lambda: SimpleNamespace(available=8_000_000))
    rows = "".join(f"{number % 5000},{'x' * 200}\n" for number in range(15_000))
    (tmp_path / "table.csv").write_text("x,kind\n" + rows)
    assert tables.read_csv(tmp_path / "table.csv").count == 15_000
