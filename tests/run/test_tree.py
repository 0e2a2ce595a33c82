"""States as JSON and tensors: what goes in comes out, and what cannot is refused."""

import collections
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from firstlight.run.errors import NotStorable, RecordDamaged
from firstlight.run.found import Found
from firstlight.run.tree import pack, unpack
from firstlight.run.values import from_json, to_json

leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
keys = st.text() | st.integers() | st.floats(allow_nan=False) | st.booleans()
trees = st.recursive(
    leaves,
    lambda inner: st.lists(inner) | st.dictionaries(keys, inner) | st.tuples(inner, inner),
    max_leaves=20,
)


def there_and_back(value: Any) -> Any:
    tensors: dict[str, Tensor] = {}
    packed = pack(value, tensors, "here")
    return unpack(from_json(to_json(packed)), tensors)


@given(trees)
def test_plain_values_come_back_with_their_types(value: Any) -> None:
    found = there_and_back(value)
    assert found == value
    assert repr(found) == repr(value)  # True is not 1, a tuple no list


@pytest.mark.parametrize(
    "value",
    [
        {"$kind": "tensor", "value": "gone"},
        collections.Counter({30: 1, 80: 2}),
        collections.OrderedDict([("b", 1), ("a", 2)]),
        {1, 2},
        torch.float16,
        torch.device("cpu"),
        float("inf"),
    ],
)
def test_other_plain_values_come_back(value: Any) -> None:
    found = there_and_back(value)
    assert found == value
    assert type(found) is type(value)


def test_arrays_and_numbers_of_numpy() -> None:
    found = there_and_back(("MT19937", np.arange(3, dtype=np.uint32), np.float64(0.5)))
    assert found[1].dtype == np.uint32
    assert found[1].tolist() == [0, 1, 2]
    assert found[2] == 0.5


@pytest.mark.parametrize("coalesced", [True, False])
def test_sparse_gradients_come_back(coalesced: bool) -> None:
    value = torch.sparse_coo_tensor([[1, 1, 3]], [1.0, 2.0, 4.0], (5,), check_invariants=True)
    value = value.coalesce() if coalesced else value
    found = there_and_back(value)
    assert found.is_coalesced() is coalesced
    assert torch.equal(found.to_dense(), value.to_dense())


def test_a_tensor_is_copied_once_and_keeps_its_order_in_memory() -> None:
    weight = torch.randn(4, 3, 5, 5).contiguous(memory_format=torch.channels_last)
    tensors: dict[str, Tensor] = {}
    packed = pack({"a": weight, "b": weight}, tensors)
    kept = weight.clone()
    weight.zero_()
    found = unpack(
        packed, {name: value.contiguous() for name, value in tensors.items()}
    )  # as safetensors gives it back
    assert torch.equal(found["a"], kept)
    assert found["a"].stride() == kept.stride()
    assert tensors["a"] is tensors["b"]


@pytest.mark.parametrize("value", [object(), lambda: 0, torch.ones(2, device="meta"), b"x"])
def test_what_is_no_plain_value_is_refused(value: Any) -> None:
    with pytest.raises(NotStorable, match=r"here\.inner"):
        pack({"inner": value}, {}, "here")


def test_tensors_whose_places_read_alike_are_kept_apart() -> None:
    ones, twos = torch.ones(2), torch.full((2,), 2.0)
    found = there_and_back({"a.b": ones, "a": {"b": twos}, "a.b#2": torch.zeros(2)})
    assert [one.tolist() for one in (found["a.b"], found["a"]["b"], found["a.b#2"])] == [[1, 1], [2, 2], [0, 0]]
    found = there_and_back({1: ones, "1": twos})
    assert [one.tolist() for one in (found[1], found["1"])] == [[1, 1], [2, 2]]


def test_a_place_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    tensors = {"w": torch.ones(2)}
    packed = pack([torch.ones(2)], {}, "w")
    with pytest.raises(ValueError, match="w"):
        unpack(packed * 400, {"w.0": torch.ones(2)})
    found = Found(tmp_path, tensors, {"models": [{"$kind": "tensor", "value": "w"}] * 400}, "step-1")
    with pytest.raises(RecordDamaged, match="'w'"):
        found.part("models")


def test_names_of_one_tensor_share_one_copy() -> None:
    weight = torch.randn(3, 4).t()
    tensors: dict[str, Tensor] = {}
    packed = pack({str(name): weight for name in range(400)}, tensors)
    found = unpack(packed, tensors)
    assert len({one.data_ptr() for one in found.values()}) == 1
    assert found["7"].stride() == weight.stride()
    assert found["0"].data_ptr() != tensors["0"].data_ptr()
    assert unpack(packed, tensors)["0"].data_ptr() != found["0"].data_ptr()


@pytest.mark.parametrize("stride", [[10**9, 1], [1], [1, 2, 3], [0, 0]])
def test_a_stride_that_reaches_beyond_the_tensor_is_refused(stride: list[int]) -> None:
    with pytest.raises(ValueError, match=r"\[|argument"):
        unpack({"$kind": "tensor", "value": "w", "stride": stride}, {"w": torch.ones(2, 3)})


def test_a_kind_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="module"):
        unpack({"$kind": "module", "value": "os"}, {})
