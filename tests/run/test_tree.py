"""States as JSON and tensors: what goes in comes out, and what cannot is refused."""

import collections
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from firstlight.run.errors import NotStorable
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


def test_a_kind_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="module"):
        unpack({"$kind": "module", "value": "os"}, {})
