"""The view in a real kernel. The page is this test, over the same sockets as JupyterLab."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.view.kernels import Page, custom, news_from, running_page

pytestmark = pytest.mark.jupyter
STILL = {"image/png", "text/html", "text/plain"}


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    runs = tmp_path_factory.mktemp("runs")
    with running_page({"FIRSTLIGHT_LANG": "en", "FIRSTLIGHT_RUNS": str(runs)}) as page:
        page.open_subshell()
        yield page


@pytest.fixture
def page(kernel: Page) -> Page:
    kernel.seen.clear()
    return kernel


SLOW_PLOT = """
import time
from matplotlib.lines import Line2D
class Slow(Line2D):
    def draw(self, renderer):
        time.sleep(2.5)  # longer than a loop may make no step before a stop is overdue
        super().draw(renderer)
plt.gca().add_line(Slow([1, 2], [1, 2]))
"""


def check_stop_and_figure(page: Page, more: str = "") -> None:
    """Stop works by message while the cell is busy, and the cell's own plot is not lost."""
    plot = f"import matplotlib.pyplot as plt; plt.plot([1, 2])\n{more}"
    cell = page.start(f"{plot}\nrun = watch(model, optimizer); loop(4000)")
    widget = page.widget()
    page.until(news_from(5))
    page.speak(widget, {"t": "hello", "page": "one"})
    page.until(lambda m: custom(m).get("t") == "here", timeout_s=3)
    everything = page.until(lambda m: custom(m).get("t") == "news", timeout_s=3)
    assert custom(everything)["all"]
    assert custom(everything)["curves"]["train/loss"]["from"] == 0
    page.until(news_from(40))
    began = time.monotonic()
    page.speak(widget, {"t": "stop"})
    reply = page.finish(cell)
    assert time.monotonic() - began < (30 if more else 10)  # a busy machine draws slowly; the loop takes 20
    assert reply["status"] == "ok", "Run All goes on"
    assert not page.errors()
    assert "Training stopped between two steps" in page.text()
    shown = [one for one in page.shown() if "Figure" in one["data"].get("text/plain", "")]
    assert shown, "the figure of the busy cell is shown at its end"
    assert page.value("run.status") == "stopped"


def test_stop_by_message_while_busy_and_the_figure_stays(page: Page) -> None:
    check_stop_and_figure(page)


def test_a_figure_that_takes_long_to_draw_is_not_taken_for_what_keeps_a_stop_waiting(page: Page) -> None:
    check_stop_and_figure(page, SLOW_PLOT)


def test_the_place_moves_then_rests_then_moves_again_in_a_later_cell(page: Page) -> None:
    page.run("run = watch(model, optimizer, steps=120)")
    place = page.place()
    first, *later = [one for one in page.shown() if one["transient"]["display_id"] == place]
    assert 'data-firstlight="' in first["data"]["text/html"]
    assert "Waiting for the first step" in later[-1]["data"]["text/plain"]
    assert "data-firstlight" not in later[-1]["data"]["text/html"]

    page.seen.clear()
    page.run("loop(60)")
    shown = page.shown()
    assert {one["transient"]["display_id"] for one in shown} == {place}
    assert "data-firstlight" in shown[0]["data"]["text/html"], "live again"
    assert set(shown[-1]["data"]) == STILL
    assert "Done for now · step 60 of 120" in shown[-1]["data"]["text/plain"]
    states = [custom(m)["state"] for m in page.seen if custom(m).get("t") == "news"]
    assert states[-1]["progress"]["done"] == 60

    page.seen.clear()
    page.run("loop(60)")
    assert "Finished · step 120 of 120" in page.shown()[-1]["data"]["text/plain"]
    page.seen.clear()
    page.run("run.finish()")
    assert page.shown()[-1]["transient"]["display_id"] == place


def test_a_stopped_loop_that_runs_again_goes_on_in_the_same_record(page: Page) -> None:
    page.run("run = watch(model, optimizer)")
    place = page.place()
    for turn in range(2):
        page.seen.clear()
        cell = page.start("loop(4000)")
        page.until(news_from(20 if turn == 0 else 400))
        assert {one["transient"]["display_id"] for one in page.shown()} == {place}
        page.manager.interrupt_kernel()
        assert page.finish(cell)["status"] == "ok"
        assert "To go on, run the loop again" in page.text()
        assert "Stopped; the model keeps what it has learned" in page.shown()[-1]["data"]["text/plain"]
        assert page.value("(run.status, run.ended, run.stop_requested)") == "('stopped', None, False)"
        if turn == 0:
            page.run("before = run.steps")
            cell = page.start("loop(400)")
            page.until(lambda m: custom(m).get("t") == "news" and custom(m)["state"]["status"] == "running")
            page.finish(cell)
            assert page.value("(run.status, run.steps - before)") == "('resting', 400)"
    steps = "[point.step for point in run.metric('train/loss')]"
    assert page.value(f"{steps} == list(range(run.steps)) or {steps}[-1]") != "0"
    page.run("from firstlight.run import runs; old = run; run = watch(model, optimizer)")
    assert page.value("(old.status, runs()[1].status, run.status)") == "('stopped', 'stopped', 'resting')"


def test_a_result_that_comes_later_is_in_the_picture(page: Page) -> None:
    page.run("run = watch(model, optimizer, steps=20); loop(20)")
    page.seen.clear()
    page.run("from firstlight.run.trained import note_result; note_result(model, {'test/accuracy': 0.875})")
    assert "Accuracy (test) 87.5%" in page.shown()[-1]["data"]["text/plain"]
    assert "Finished · step 20 of 20" in page.shown()[-1]["data"]["text/plain"]
    page.seen.clear()
    page.run("1 + 1")
    assert not page.shown(), "nothing is new"


def test_news_come_at_most_twenty_times_a_second(page: Page) -> None:
    began = time.monotonic()
    page.run("run = watch(model, optimizer); loop(1500, pause=0.001); run.finish()")
    took = time.monotonic() - began
    news = [m for m in page.seen if custom(m).get("t") == "news"]
    assert 5 < len(news) <= 20 * took + 5


def test_the_toolbar_is_a_clean_stop_and_a_second_press_is_an_interrupt(page: Page) -> None:
    cell = page.start("run = watch(model, optimizer); loop(4000)")
    page.until(news_from(20))
    page.manager.interrupt_kernel()
    assert page.finish(cell)["status"] == "ok"
    assert page.value("run.status") == "stopped"

    page.seen.clear()
    cell = page.start("run = watch(model, optimizer); loop(40); time.sleep(20)")
    page.until(news_from(40))
    time.sleep(1.5)  # the loop makes no steps any more
    page.manager.interrupt_kernel()
    reply = page.finish(cell)
    assert (reply["status"], reply["ename"]) == ("error", "KeyboardInterrupt")
    assert "The cell ended with KeyboardInterrupt." in page.shown()[-1]["data"]["text/html"]


def test_stop_ends_a_long_pause_between_two_steps_too(page: Page) -> None:
    cell = page.start("run = watch(model, optimizer); loop(20); time.sleep(20); loop(20)")
    widget = page.widget()
    page.until(news_from(20))
    page.speak(widget, {"t": "stop"})
    began = time.monotonic()
    assert page.finish(cell)["status"] == "ok"
    assert time.monotonic() - began < 10  # of a pause of 20
    assert page.value("run.status") == "stopped"


def test_an_error_in_the_loop_is_shown_and_the_handler_is_given_back(page: Page) -> None:
    page.run("import signal; before = signal.getsignal(signal.SIGINT)")
    reply = page.run("run = watch(model, optimizer); loop(5); 1 / 0")
    assert reply["ename"] == "ZeroDivisionError"
    assert "The cell ended with ZeroDivisionError." in page.shown()[-1]["data"]["text/html"]
    assert page.value("signal.getsignal(signal.SIGINT) is before") == "True"


def test_a_with_block_ends_quietly(page: Page) -> None:
    cell = page.start("with watch(model, optimizer) as run:\n    loop(4000)\nprint('after the block', run.status)")
    page.until(news_from(20))
    page.manager.interrupt_kernel()
    assert page.finish(cell)["status"] == "ok"
    assert "after the block stopped" in page.text()


def test_watching_again_and_again_leaks_nothing(page: Page) -> None:
    page.run("run = watch(model, optimizer); loop(3)")
    page.run("run = watch(model, optimizer); loop(3)")
    count = (
        "[len(__import__('comm').get_comm_manager().comms), "
        "sum(t.name == 'firstlight-view' for t in __import__('threading').enumerate()), "
        "len(__import__('firstlight.view.stopping', fromlist=['cells']).cells._listeners)]"
    )
    before = page.value(count)
    page.run("for _ in range(6):\n    run = watch(model, optimizer); loop(3)")
    page.run("run = watch(model, optimizer); loop(3)")
    after = page.value(count)
    assert after.endswith(", 0, 1]")
    assert after == before


def test_all_views_share_a_layout_and_outlive_a_learner_who_closes_all_widgets(page: Page) -> None:
    layouts = "run = watch(model, optimizer); loop(3)\n"
    layouts += "seen.append(__import__('firstlight.view.curves', fromlist=['_layout'])._layout().model_id)"
    page.run(f"seen = []\n{layouts}\n{layouts}")
    page.run("import ipywidgets; ipywidgets.Widget.close_all()")
    page.seen.clear()
    cell = page.start(layouts)
    page.widget()
    assert page.finish(cell)["status"] == "ok"
    opened = [m for m in page.seen if m["msg_type"] == "comm_open"]
    assert [m["content"]["data"]["state"]["_model_name"] for m in opened] == ["LayoutModel", "AnyModel"]
    assert opened[1]["content"]["data"]["state"]["layout"] == f"IPY_MODEL_{opened[0]['content']['comm_id']}"
    assert page.value("(seen[0] == seen[1], seen[1] == seen[2])") == "(True, False)"


def test_a_late_page_hears_everything_also_at_rest(page: Page) -> None:
    cell = page.start("run = watch(model, optimizer); loop(50)")
    widget = page.widget()
    page.finish(cell)
    page.seen.clear()
    page.speak(widget, {"t": "hello", "page": "late"})
    page.until(lambda m: custom(m).get("t") == "here")
    state = custom(page.until(lambda m: custom(m).get("t") == "news"))
    assert state["all"]
    assert state["state"]["status"] == "resting"
    assert state["curves"]["train/loss"]["x"][-1] == 49


def test_without_an_answer_the_picture_itself_moves(page: Page) -> None:
    page.run("run = watch(model, optimizer); loop(1000); run.finish()")  # five seconds, and this page says nothing
    pictures = [one["data"] for one in page.shown()]
    moving = [data for data in pictures if "data-firstlight" in data["text/html"] and "<img" in data["text/html"]]
    assert len(moving) >= 2
    assert len({data["text/plain"] for data in moving}) == len(moving)


def test_without_anywidget_the_picture_moves(page: Page) -> None:
    page.run(
        "import sys; kept = sys.modules.get('anywidget'); sys.modules['anywidget'] = None\n"
        "module = sys.modules.pop('firstlight.view.curves', None)"
    )
    page.seen.clear()
    page.run("run = watch(model, optimizer); loop(500); run.finish()")
    page_shown = page.shown()
    page.run("sys.modules['anywidget'] = kept; sys.modules['firstlight.view.curves'] = module")
    assert not [m for m in page.seen if m["msg_type"] == "comm_open"]
    assert sum("<img" in one["data"]["text/html"] for one in page_shown) >= 3
    assert all("data-firstlight" not in one["data"]["text/html"] for one in page_shown)


def test_off_shows_nothing_and_stops_all_the_same(page: Page) -> None:
    page.run("import os; os.environ['FIRSTLIGHT_VIEW'] = 'off'")
    page.seen.clear()
    cell = page.start("run = watch(model, optimizer); print('go'); loop(4000)")
    page.until(lambda m: m["msg_type"] == "stream")
    time.sleep(0.5)
    page.manager.interrupt_kernel()
    assert page.finish(cell)["status"] == "ok"
    assert not page.shown()
    page.run("del os.environ['FIRSTLIGHT_VIEW']")


def test_runs_of_fit_are_shown_while_listening(page: Page) -> None:
    page.run(
        "from firstlight.view import listen; listen(); listen()\n"
        "from firstlight.run import Run, Recorder, audience\n"
        "shown = len(audience)"
    )
    assert page.value("shown") == "1"
    page.seen.clear()
    page.run("run = Run.start('fitted')\nwith Recorder(run, model, optimizer), run:\n    loop(40)")
    assert "Finished · step 40" in page.shown()[-1]["data"]["text/plain"]
    page.run("audience.clear()")


def test_a_handler_of_somebody_else_for_exceptions_is_kept(page: Page) -> None:
    page.run(
        "ip = get_ipython(); seen = []\n"
        "ip.set_custom_exc((KeyError,), lambda shell, kind, error, trace, tb_offset=None: seen.append(kind))\n"
        "run = watch(model, optimizer)"
    )
    page.run("{}['missing']")
    assert page.value("seen") == "[<class 'KeyError'>]"
    page.seen.clear()
    cell = page.start("loop(4000)")
    page.until(news_from(20))
    page.manager.interrupt_kernel()
    assert page.finish(cell)["status"] == "ok"
    page.run("ip.set_custom_exc((), None)")


@pytest.mark.slow
def test_stop_and_figure_on_the_oldest_ipykernel_that_we_allow(tmp_path: Path) -> None:
    old = tmp_path / "old"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(old), "ipykernel==7.3.0"]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    if done.returncode:
        if os.environ.get("CI"):
            pytest.fail(done.stderr)
        pytest.skip("ipykernel 7.3.0 cannot be had here")
    env: dict[str, Any] = {"PYTHONPATH": str(old), "FIRSTLIGHT_LANG": "en"}
    with running_page(env) as page:
        assert page.value("__import__('ipykernel').__version__") == "7.3.0"
        page.open_subshell()
        check_stop_and_figure(page)
