import json
import math
import time

import pytest

from firstlight.run import Run
from firstlight.view.state import Board, still_curves


def trained(steps: int = 300, name: str = "net") -> Run:
    run = Run(name)
    run.set_plan(total_epochs=4, steps_per_epoch=100)
    now = time.time() - 30
    rows = []
    for step in range(steps):
        rows += [("train/loss", step, 1 / (step + 1), now + step / 10), ("lr", step, 0.1, now + step / 10)]
        rows.append(("train/accuracy", step, step / 400, now + step / 10))
    rows += [("samples_per_s", steps, 1234.5, now + steps / 10), ("grad/norm", steps - 1, 0.25, now)]
    rows += [("test/accuracy", 99, 0.5, now), ("val/loss", 99, 0.4, now)]
    run.extend(rows)
    return run


def board_of(run: Run) -> Board:
    board = Board(run)
    board.gather()
    return board


def test_the_state_is_plain_json_and_complete() -> None:
    state = board_of(trained()).state()
    assert json.loads(json.dumps(state, allow_nan=False)) == state
    assert state["status"] == "running"
    assert state["title"] == "net"
    assert state["progress"]["share"] == pytest.approx(0.75, abs=0.01)
    assert state["progress"]["text"] == "step 301 of 400 · epoch 4 of 4"
    assert state["progress"]["left"].endswith("s left")
    assert [chart["key"] for chart in state["charts"]] == ["loss", "accuracy"]
    assert [curve["key"] for curve in state["charts"][0]["curves"]] == ["train/loss", "val/loss"]
    assert state["charts"][1]["curves"][1]["value"] == "50.0%"
    assert [number["label"] for number in state["numbers"]] == ["samples/s", "learning rate", "gradient norm"]
    assert "Loss (validation) 0.400" in state["said"]


def test_the_state_speaks_the_learners_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTLIGHT_LANG", "ja")
    state = board_of(trained()).state()
    assert (state["lang"], state["status_text"]) == ("ja", "訓練中")
    assert state["charts"][1]["title"] == "正解率"
    monkeypatch.setenv("FIRSTLIGHT_LANG", "ko")
    assert board_of(trained()).state()["charts"][0]["title"] == "손실"


def test_time_left_follows_the_recent_pace() -> None:
    board = board_of(trained(steps=200))  # ten steps a second; the last 100 steps of 400 begin at 201
    assert board.seconds_per_step() == pytest.approx(0.1, rel=0.1)
    assert board.state()["progress"]["left"] == "20 s left"
    board.forget_pace()
    assert board.state()["progress"]["left"] == ""


def test_without_a_plan_progress_is_that_of_the_epoch() -> None:
    run = Run()
    run.set_plan(steps_per_epoch=100)
    now = time.time()
    run.extend([("train/loss", step, 1.0, now + step) for step in range(150)])
    progress = board_of(run).state()["progress"]
    assert (progress["share"], progress["text"]) == (0.5, "step 150 · epoch 2")
    assert progress["left"] == "50 s left in this epoch"
    bare = Run()
    bare.log({"train/loss": 1.0}, step=4)
    assert board_of(bare).state()["progress"]["share"] is None
    assert board_of(bare).state()["progress"]["text"] == "step 5"


def test_status_from_start_to_end() -> None:
    run = Run()
    board = Board(run)
    assert board.status() == "waiting"
    run.log({"train/loss": 1.0}, step=0)
    board.gather()
    assert board.status() == "running"
    run.request_stop()
    assert board.status() == "stopping"
    run.rest()
    assert board.status() == "resting"
    run.finish("failed")
    assert board.status() == "failed"
    assert board.state()["status_text"] == "Ended by an error"


@pytest.mark.parametrize("status", ["waiting", "running", "stopping", "resting", "finished", "stopped", "failed"])
def test_each_status_has_words(status: str) -> None:
    from firstlight.view.state import _status_text

    assert _status_text(status)


def test_a_rest_after_the_planned_steps_reads_as_finished() -> None:
    run = trained(steps=400)
    run.rest()
    assert board_of(run).state()["status_text"] == "Finished"
    other = trained(steps=300)
    other.rest()
    assert board_of(other).state()["status_text"] == "Done for now"


def test_a_loss_that_is_lost_is_said_and_sent_as_json() -> None:
    run = Run()
    run.log({"train/loss": 1.0}, step=0)
    run.log({"train/loss": math.nan}, step=1)
    board = board_of(run)
    assert board.state()["notice"] == "The loss has not been a finite number since step 1."
    json.dumps([board.state(), board.curves()], allow_nan=False)
    board.error = "The cell ended with ValueError."
    assert board.state()["notice"] == board.error


def test_only_what_is_new_is_sent_and_it_adds_up() -> None:
    run = Run()
    board = Board(run)
    sent: dict[str, tuple[int, int, int]] = {}
    page: dict[str, list[float]] = {"x": [], "y": []}
    biggest = 0
    for begin in range(0, 5000, 7):
        for step in range(begin, begin + 7):
            run.log({"train/loss": float(step)}, step=step)
        board.gather()
        news = board.curves(sent).get("train/loss")
        if news is None:
            continue
        assert news["from"] <= len(page["x"])
        if news["from"]:
            biggest = max(biggest, len(news["x"]))
        for part in page:
            page[part][news["from"] :] = news[part]
    assert biggest <= 9
    whole = board.curves()["train/loss"]
    assert (page["x"], page["y"]) == (whole["x"], whole["y"])
    assert board.curves(sent) == {}, "nothing new"


def test_further_losses_and_own_metrics_get_charts() -> None:
    run = Run()
    run.log({"train/loss": 1.0, "train/loss/2": 2.0, "train/perplexity": 9.0, "mine": 1.0}, step=0)
    assert [chart["key"] for chart in board_of(run).state()["charts"]] == ["loss", "loss/2", "perplexity"]
    assert set(still_curves(board_of(run))) == {"train/loss", "train/loss/2", "train/perplexity"}


def test_speed_in_steps_where_samples_are_unknown() -> None:
    run = Run()
    now = time.time()
    run.extend([("train/loss", step, 1.0, now + step / 2) for step in range(20)])
    assert board_of(run).state()["numbers"][0] == {"label": "steps/s", "value": "2.000"}
