import io
import math
import time

import pytest
from PIL import Image

from firstlight.run import Run
from firstlight.view.drawing import CHART_HEIGHT, CHART_WIDTH, COLOURS, axis, draw, value_range
from firstlight.view.series import Series
from firstlight.view.state import Board
from firstlight.view.still import still


def board_of(steps: int, **more: float) -> Board:
    run = Run("net <1>")
    for step in range(steps):
        run.log({"train/loss": 2 / (step + 1), **more}, step=step)
    board = Board(run)
    board.gather()
    return board


def pixels(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGB")


def has(image: Image.Image, colour: tuple[int, int, int], within: int = 24) -> bool:
    data = image.tobytes()
    return any(all(abs(data[i + c] - colour[c]) <= within for c in range(3)) for i in range(0, len(data), 3))


@pytest.mark.parametrize("steps", [1, 2, 10, 600, 20_000])
def test_curves_are_drawn_in_the_colours_of_their_splits(steps: int) -> None:
    board = board_of(steps)
    png = draw(board.state(), board.series)
    assert png is not None
    assert pixels(png).size == (2 * CHART_WIDTH, 2 * CHART_HEIGHT)
    assert has(pixels(png), COLOURS["train"])
    assert not has(pixels(png), COLOURS["test"])


def test_charts_stand_side_by_side_and_then_below() -> None:
    board = board_of(30, **{"train/accuracy": 0.5, "test/accuracy": 0.4, "train/other": 3.0})
    png = draw(board.state(), board.series)
    assert png is not None
    assert pixels(png).size == (4 * CHART_WIDTH, 4 * CHART_HEIGHT)
    assert has(pixels(png), COLOURS["test"])


def test_nothing_to_draw() -> None:
    board = Board(Run())
    assert draw(board.state(), board.series) is None
    lost = Run()
    lost.log({"train/loss": math.nan}, step=0)
    board = Board(lost)
    board.gather()
    assert draw(board.state(), board.series) is None


def test_quick_pictures_are_quick() -> None:
    board = board_of(5000, **{"train/accuracy": 0.5})
    state = board.state()
    draw(state, board.series, quick=True)
    began = time.process_time()
    quick = draw(state, board.series, quick=True)
    took = time.process_time() - began
    assert quick is not None
    assert took < 0.5
    assert pixels(quick).size == (4 * CHART_WIDTH, 2 * CHART_HEIGHT)


def test_one_wild_value_does_not_press_the_curve_flat() -> None:
    series = Series()
    for step in range(300):
        series.add(step, 1000.0 if step == 150 else 1.0 + step / 300)
    assert value_range([series], is_share=False)[1] < 200
    assert value_range([Series()], is_share=False) == (0.0, 1.0)
    accuracy = Series()
    accuracy.add(0, 1.0)
    assert value_range([accuracy], is_share=True)[1] == 1.0


def test_axes_have_round_marks() -> None:
    assert axis(0, 937).marks == (0, 250, 500, 750)
    assert axis(-0.31, 0.29).marks == (-0.2, 0.0, 0.2)
    assert axis(2.0, 2.0).low < 2.0 < axis(2.0, 2.0).high
    assert axis(0.0, 0.0).marks


def test_the_picture_at_rest_says_everything_as_text_too() -> None:
    board = board_of(50, **{"train/accuracy": 0.875, "lr": 0.1})
    board.run.set_info(device_line="CPU, 2 threads")
    picture = still(board)
    assert picture.png
    for text in ("Accuracy (train)", "87.5%", "net &lt;1&gt;", "CPU, 2 threads", "learning rate 0.1"):
        assert text in picture.html
    assert "Accuracy (train) 87.5%" in picture.text
    assert 'alt="Training · step 50' in picture.html
    assert "<script" not in picture.html
    assert "data-firstlight" not in picture.html
    moving = still(board, live=True, key="abc")
    assert 'data-firstlight="abc"' in moving.html
    assert moving.png is None
