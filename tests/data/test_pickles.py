"""The reader of pickles gives them no power."""

import collections
import contextlib
import os
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firstlight.data import errors
from firstlight.data.pickles import read_pickle
from tests.data.makers import cifar_batch, python2_pickle


def read(tmp_path, data: bytes):
    (tmp_path / "batch").write_bytes(data)
    return read_pickle(tmp_path / "batch")


def test_official_form(tmp_path):
    value = read(tmp_path, cifar_batch(7, 10, 0))
    assert value[b"data"].shape == (7, 3072)
    assert value[b"data"].dtype == np.uint8
    assert value[b"labels"] == [0, 1, 2, 3, 4, 5, 6]
    assert np.array_equal(value[b"data"], np.random.default_rng(0).integers(0, 256, (7, 3072), dtype=np.uint8))


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("dtype", ["u1", "<i8", ">f4", "?"])
def test_arrays_that_numpy_pickled(tmp_path, protocol, dtype):
    array = np.asfortranarray(np.arange(6).reshape(2, 3).astype(dtype))
    if protocol == 2:
        with pytest.raises(errors.HostilePickle, match="_codecs"):  # Python 3 hides bytes behind a function call
            read(tmp_path, pickle.dumps({"a": array}, protocol))
        return
    data = pickle.dumps({"a": np.ascontiguousarray(array), "b": [(1, None, 2.5, True)]}, min(protocol, 4))
    value = read(tmp_path, data)
    assert np.array_equal(value["a"], array)
    assert value["b"] == [(1, None, 2.5, True)]


class Attack:
    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("attack", "name"),
    [
        (Attack(os.system, "touch hacked"), "system"),
        (Attack(eval, "1"), "eval"),
        (Attack(exec, "1"), "exec"),
        (Attack(getattr, "x", "y"), "getattr"),
        (Attack(np.load, "x"), "load"),
        (Attack(np.fromfile, "x"), "fromfile"),
        (Attack(open, "x"), "open"),
        (collections.OrderedDict(a=1), "OrderedDict"),
        (b"cbuiltins\neval\n(S'1'\ntR.", "eval"),
        (b"c__builtin__\neval\n(S'1'\ntR.", "eval"),
        (b"cnumpy\nndarray.__class__\n.", "ndarray"),
        (b"\x80\x04\x8c\x05numpy\x8c\x10ndarray.__init__\x93.", "ndarray.__init__"),
        (b"(S'x'\nios\nsystem\n.", "system"),
        (b"Pname\n.", "persistent"),
    ],
)
def test_hostile_pickles_run_nothing(tmp_path, monkeypatch, attack, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.HostilePickle, match=name):
        read(tmp_path, attack if isinstance(attack, bytes) else pickle.dumps({"data": attack}))
    assert not (tmp_path / "hacked").exists()


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x02",
        b"garbage",
        cifar_batch(3, 10, 0)[:-2000],
        ARRAY + b".",  # a stand-in itself as the value
        ARRAY + b"(tR(I1\n(I9\ntNI00\nS'xx'\ntb.",  # no kind
        ARRAY + b"(tR(I1\n(I9\ntcnumpy\ndtype\n(S'O8'\nI0\nI1\ntRI00\nS'xx'\ntb.",  # objects
        ARRAY + b"(tR(I1\n(I999999999999\ntcnumpy\ndtype\n(S'u1'\nI0\nI1\ntRI00\nS'xx'\ntb.",  # larger than its bytes
        ARRAY + b"}S'__setstate__'\nI1\nsb.",  # changes the stand-in
        b"(lp0\ng0\na.",  # a list in itself is read, but is no batch
    ],
)
def test_damaged_pickles(tmp_path, data):
    try:
        value = read(tmp_path, data)
    except errors.DamagedFile as error:
        said = str(error)
    else:
        said = repr(value)
        assert value == [None]
    assert said
    assert read(tmp_path, python2_pickle({b"a": np.zeros(2, np.uint8)}))[b"a"].tolist() == [0, 0]  # nothing stuck


def test_a_pickle_that_repeats_itself_is_finished_quickly(tmp_path):
    value: list = []
    for _ in range(60):
        value = [value] * 10
    read(tmp_path, pickle.dumps(value, 4))


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_in_words_or_plain(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "batch"
    path.write_bytes(data)
    plain = (dict, list, tuple, bytes, str, int, float, bool, type(None), np.ndarray)
    with contextlib.suppress(errors.DamagedFile, errors.HostilePickle):
        assert isinstance(read_pickle(path), plain)
