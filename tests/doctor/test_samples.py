"""Samples are read without leaving a trace: no random number, no mode that stays on, no tensor that is kept."""

import gc
import weakref

import pytest
import torch
from tests.doctor.listening import listen_to
from torch import nn
from torch.overrides import TorchFunctionMode

from firstlight.doctor import witness as listening
from firstlight.doctor.observers.fingerprint import arise_by_chance, fingerprints, rows_of
from firstlight.doctor.observers.samples import Samples
from firstlight.doctor.overhearing import _on
from firstlight.doctor.rule import newest
from firstlight.doctor.rule_programs import CLASSES


def printed(tensor: torch.Tensor) -> torch.Tensor:
    words = rows_of(tensor)
    assert words is not None
    return fingerprints(words)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.int64, torch.uint8, torch.bool])
@pytest.mark.parametrize("width", [1, 3, 64, 5000])
def test_equal_rows_have_equal_numbers_and_others_do_not(dtype: torch.dtype, width: int) -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(0, 2 if dtype == torch.bool else 200, (64, width), generator=generator).to(dtype)
    distinct = len(torch.unique(rows, dim=0))
    assert len(torch.unique(printed(rows))) == distinct
    assert torch.equal(printed(rows[5:]), printed(rows)[5:]), "a view with another beginning"
    assert torch.equal(printed(rows.T.contiguous().T), printed(rows)), "another order in memory"


def test_whole_numbers_as_doubles_do_not_collide() -> None:
    grid = torch.cartesian_prod(*[torch.arange(12, dtype=torch.float64)] * 3)
    assert len(torch.unique(printed(grid))) == len(grid)


def test_no_random_number_is_drawn() -> None:
    before = torch.get_rng_state()
    printed(torch.arange(777.0).view(7, 111))
    assert torch.equal(before, torch.get_rng_state())


def test_rows_of_few_categories_agree_by_chance_and_measured_ones_do_not() -> None:
    generator = torch.Generator().manual_seed(0)
    table = rows_of(torch.randint(0, 4, (400, 6), generator=generator).float())
    measured = rows_of(torch.randn(400, 6, generator=generator))
    assert table is not None
    assert measured is not None
    assert arise_by_chance(table, 400)
    assert not arise_by_chance(measured, 400)


def evaluate_once() -> nn.Module:
    model = nn.Linear(4, 3)
    for _ in range(3):
        nn.functional.cross_entropy(model(torch.randn(8, 4)), torch.randint(3, (8,))).backward()
    with torch.no_grad():
        model(torch.randn(8, 4)).argmax(1)
    return model


def test_no_window_stays_open_when_the_witness_leaves() -> None:
    witness = listening.attend()
    try:
        evaluate_once()
        assert _on, "no evaluation was heard"
    finally:
        listening.leave()
    assert not _on
    assert not torch._C._len_torch_function_stack()
    assert not witness.lost


def test_no_window_stays_open_in_the_next_episode() -> None:
    witness = listening.attend()
    try:
        evaluate_once()
        before = weakref.ref(next(one for one in witness.observers if isinstance(one, Samples)))
        witness.begin()
        assert not torch._C._len_torch_function_stack()
        gc.collect()
        assert before() is None, "what an episode saw of its rows would add up, cell by cell"
    finally:
        listening.leave()


class Mine(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        return func(*args, **(kwargs or {}))


def test_modes_of_others_stay_where_they_are() -> None:
    listening.attend()
    try:
        with Mine() as outside:
            evaluate_once()  # no window opens inside of somebody's mode
            assert not _on
            assert torch._C._get_function_stack_at(0) is outside
        evaluate_once()
        with Mine():  # one that begins while a window is open
            evaluate_once()
        assert torch._C._len_torch_function_stack() <= 1
    finally:
        listening.leave()
    assert not torch._C._len_torch_function_stack()


def test_no_tensor_of_the_program_is_kept() -> None:
    witness = listening.attend()
    try:
        assert any(isinstance(one, Samples) for one in witness.observers)
        model = evaluate_once()
        inputs = torch.randn(8, 4)
        output = model(inputs)
        kept = weakref.ref(inputs), weakref.ref(output)
        nn.functional.mse_loss(output, torch.randn(8, 3)).backward()
        del inputs, output
        gc.collect()
        assert [one() for one in kept] == [None, None]
    finally:
        listening.leave()


def test_evaluations_are_told_from_steps_without_a_loader() -> None:
    run = listen_to(CLASSES)
    (rows,) = newest(run, "rows")
    assert (rows["learned"], rows["distinct"]) == (60, 480)
    assert (rows["part"]["rows"], rows["part"]["before"], rows["whole"]["rows"]) == (120, 0, 0)
    (evaluation,) = newest(run, "evaluations")
    assert (evaluation["scored"], evaluation["acting"], evaluation["last"]["rows"]) == (1, 0, 120)
