import threading
import warnings
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from firstlight.run import Run, TrainingStopped, audience
from firstlight.view import listen, watch
from firstlight.view import live as live_room
from firstlight.view.live import Live, NoScreen, choose_screen, show_live
from firstlight.view.state import Board
from firstlight.view.terminal import Lines
from firstlight.view.watching import NotALength, NotSteps, NotWatchable


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    yield
    for live in list(live_room._watched.values()):
        live.run.finish()
    assert not live_room._watched
    assert not [thread for thread in threading.enumerate() if thread.name == "firstlight-view"]


def parts() -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = nn.Linear(4, 2)
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> list[float]:
    torch.manual_seed(1)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        x = torch.randn(8, 4)
        loss = nn.functional.cross_entropy(model(x), (x[:, 0] > 0).long())
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_losses_and_weights_are_the_same_with_and_without() -> None:
    plain, optimizer = parts()
    expected = train(plain, optimizer, 50)
    watched, optimizer = parts()
    with watch(watched, optimizer) as run:
        assert train(watched, optimizer, 50) == expected
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), watched.parameters(), strict=True))
    assert [point.value for point in run.metric("train/loss")] == expected
    assert run.status == "finished"


def test_plan_and_name_are_what_was_said() -> None:
    model, optimizer = parts()
    run = watch(model, optimizer, epochs=3, steps=30, name="first try")
    assert (run.name, run.plan.total_epochs, run.plan.total_steps) == ("first try", 3, 30)
    assert watch(model, optimizer).name == "Linear"
    assert run.status == "finished", "watching again ends the run before"
    assert watch().name == "run"


def test_stop_is_swallowed_by_the_block_and_raised_without_one() -> None:
    model, optimizer = parts()
    with watch(model, optimizer) as run:
        run.request_stop()
        train(model, optimizer, 5)
        pytest.fail("the loop went on")
    assert (run.status, len(run.metric("train/loss"))) == ("stopped", 1)
    run = watch(model, optimizer)
    run.request_stop()
    with pytest.raises(TrainingStopped):
        train(model, optimizer, 5)


def test_an_error_in_the_block_passes_through() -> None:
    model, optimizer = parts()
    with pytest.raises(ZeroDivisionError), watch(model, optimizer) as run:
        _ = 1 / 0
    assert run.status == "failed"


@pytest.mark.parametrize("wrong", ["model", [1], 3])
def test_what_cannot_be_watched_is_said(wrong: object) -> None:
    with pytest.raises(NotWatchable, match=r"torch\.nn\.Module"):
        watch(wrong)  # that is the test


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"steps": -1}, {"epochs": 2.5}, {"steps": True}])
def test_lengths_are_whole_numbers(wrong: dict[str, int]) -> None:
    with pytest.raises(NotALength, match="whole number"):
        watch(**wrong)


def test_a_length_may_come_from_numpy() -> None:
    with watch(*parts(), steps=np.int64(3)) as run:  # what arithmetic on arrays gives
        assert run.plan.total_steps == 3


def test_listening_shows_runs_that_start_once_each() -> None:
    before = list(audience)
    try:
        listen()
        listen()
        assert len(audience) <= len(before) + 1
        run = Run.start("fitted")
        assert len(live_room._watched) == 1
        assert show_live(run, waits=False) is None, "shown already"
        run.log({"train/loss": 1.0}, step=0)
        run.finish()
        assert show_live(run, waits=False) is None, "ended"
    finally:
        audience[:] = before


def test_off_and_no_console_show_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run()
    live = show_live(run, waits=False)
    assert live is not None
    assert isinstance(live.screen, Lines)
    monkeypatch.setattr("sys.stderr", None)
    assert isinstance(choose_screen(live), NoScreen)
    monkeypatch.setenv("FIRSTLIGHT_VIEW", "OFF")
    assert isinstance(choose_screen(live), NoScreen)


def test_a_run_rests_and_goes_on() -> None:
    run = Run()
    live = show_live(run, waits=True)
    assert live is not None
    run.rest()
    assert not [thread for thread in threading.enumerate() if thread.name == "firstlight-view"]
    run.resume()
    assert [thread for thread in threading.enumerate() if thread.name == "firstlight-view"]
    live.wake()


class Broken(NoScreen):
    def show(self, board: Board) -> None:
        raise RuntimeError("the screen is broken")


def test_a_view_that_breaks_says_so_and_training_goes_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_room, "choose_screen", lambda _live: Broken())
    model, optimizer = parts()
    with warnings.catch_warnings(), watch(model, optimizer) as run:
        train(model, optimizer, 5)
        thread = next(iter(live_room._watched.values()))._thread
        assert isinstance(thread, threading.Thread)
        thread.join(5)
    assert len(run.metric("train/loss")) == 5
    said = capsys.readouterr().err
    assert said.count("The live view ended by an error; the training goes on.") == 1
    assert "the screen is broken" in said


def test_a_kernel_that_ends_publishes_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run()
    live = show_live(run, waits=True)
    assert isinstance(live, Live)
    live_room._leave_pages()
    assert not isinstance(live.screen, NoScreen), "a terminal is left in order"
    monkeypatch.setattr("firstlight.picture.in_notebook", lambda: True)
    live_room._leave_pages()
    assert isinstance(live.screen, NoScreen)


def test_of_several_processes_the_first_keeps_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    model, optimizer = parts()
    for rank, kept in (("1", False), ("0", True)):
        monkeypatch.setenv("RANK", rank)
        monkeypatch.setenv("WORLD_SIZE", "2")
        with watch(model, optimizer) as run:
            model(torch.ones(2, 4)).sum().backward()
            optimizer.step()
        assert (run.folder is not None) == kept
        assert bool(run.metrics()) == kept


@pytest.mark.parametrize("looks", [3, "12", 0.5])
def test_what_says_no_steps_is_refused(looks: object) -> None:
    with pytest.raises(NotSteps, match="looks="):
        watch(*parts(), looks=looks)
