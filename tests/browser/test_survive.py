"""What survives when the page is closed, the kernel dies, the server is killed: a real lab in a real browser."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import APIResponse, Browser, Page, Route, WebSocketRoute

from tests.browser.jupyterlab import (
    ROOT,
    Lab,
    Watch,
    errors,
    outputs,
    run_all,
    wait_kernel,
    wait_notebook,
)
from tests.lab.labs import small_notebook

MAKE = """\
import time, torch, firstlight as fl
from torch import nn
model = nn.Linear(4, 2); optimizer = torch.optim.SGD(model.parameters(), lr=0.01)"""
TRAIN = """\
run = fl.watch(model, optimizer, steps={steps})
for step in range({steps}):
    optimizer.zero_grad(); loss = model(torch.randn(8, 4)).square().mean(); loss.backward(); optimizer.step()
    time.sleep(0.05)
    if step % 10 == 0: print('step', step, flush=True)"""
AFTER = "print('after', len(run.metric('train/loss')))"


@contextlib.contextmanager
def another_device(
    browser: Browser, lab: Lab, cells: int, line: Callable[[WebSocketRoute], None] | None = None
) -> Iterator[Page]:
    """The notebook in a browser that has never seen it; `line` stands between it and the kernel."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-US")
    page = context.new_page()
    page.set_default_timeout(40_000)
    watch = Watch(page)
    if line:
        page.route_web_socket(re.compile("/channels"), line)
    page.goto(lab.url)
    wait_notebook(page, cells=cells)  # not the kernel: one that is busy says nothing of itself until the cell has ended
    yield page
    context.close()
    watch.check()


def printed(page: Page, cell: int) -> str:
    """What the cell shows as plain output."""
    return "".join("".join(one.get("text", "")) for one in outputs(page)[cell] if one["output_type"] == "stream")


def picture(page: Page) -> str | None:
    """The curves as the cell shows them, where no widget draws."""
    found = page.locator(".jp-OutputArea-output section img")
    return found.first.get_attribute("src") if found.count() else None


def wait_until(page: Page, told: Callable[[], Any], timeout_s: float = 30) -> Any:
    """Wait until it is true, with the page alive."""
    end = time.monotonic() + timeout_s
    while not (found := told()):
        assert time.monotonic() < end, "waited in vain"
        page.wait_for_timeout(100)
    return found


def kernel_pid(page: Page, cell: int = 0) -> int:
    """The process, as the cell has printed it."""
    return int(wait_until(page, lambda: re.search(r"pid (\d+)", printed(page, cell)))[1])


def test_training_goes_on_without_a_page_and_is_there_on_another_device(
    start_lab: Callable[..., Lab], page: Page, browser: Browser, tmp_path: Path
) -> None:
    steps = 600
    notebook = small_notebook(tmp_path / "long.ipynb", MAKE, TRAIN.format(steps=steps), AFTER)
    lab = start_lab(notebook=notebook)
    page.goto(lab.url)
    wait_notebook(page, cells=3)
    wait_kernel(page)
    run_all(page)
    wait_until(page, lambda: "step 20" in printed(page, 1))
    page.goto("about:blank")  # nobody looks

    with another_device(browser, lab, 3) as other:
        wait_until(other, lambda: "step 30" in printed(other, 1), 10)
        seen = [int(number) for number in re.findall(r"step (\d+)", printed(other, 1))]
        assert seen == list(range(0, seen[-1] + 1, 10)), "from the first line on, without a gap"
        assert seen[-1] < steps - 50, "it is still training; else this test shows nothing"
        pictures = {wait_until(other, lambda: picture(other))}
        wait_until(other, lambda: pictures.add(picture(other)) or len(pictures) > 3)  # the curves move here too
        prompts = other.evaluate(
            "() => window.jupyterapp.shell.currentWidget.content.widgets.map((c) => c.model.executionState)"
        )
        assert prompts == ["idle", "running", "running"]
        wait_until(other, lambda: f"after {steps}" in printed(other, 2), 60)
        numbers = [int(number) for number in re.findall(r"step (\d+)", printed(other, 1))]
        assert numbers == list(range(0, steps, 10))
        assert not errors(other)
        file = lab.folder / "long.ipynb"
        wait_until(other, lambda: f"after {steps}" in file.read_text(encoding="utf-8"), 10)
        saved = nbformat.read(file, 4)
        assert [cell.execution_count for cell in saved.cells] == [1, 2, 3]
        assert "image/png" in str(saved.cells[1].outputs)


def test_a_page_that_hears_the_kernel_late_misses_nothing(
    start_lab: Callable[..., Lab], page: Page, browser: Browser, tmp_path: Path
) -> None:
    steps = 90
    lines = f"import time\nfor step in range({steps}): time.sleep(0.1); print('step', step, flush=True)"
    lab = start_lab(notebook=small_notebook(tmp_path / "late.ipynb", lines))
    page.goto(lab.url)
    wait_notebook(page, cells=1)
    wait_kernel(page)
    run_all(page)
    wait_until(page, lambda: "step 3" in printed(page, 0))
    page.goto("about:blank")
    held: list[tuple[WebSocketRoute, list[str | bytes]]] = []
    servers: dict[int, WebSocketRoute] = {}

    def line(to_page: WebSocketRoute) -> None:
        number, said = len(held), list[str | bytes]()
        held.append((to_page, said))
        to_page.on_message(lambda message: (servers[number].send if number in servers else said.append)(message))

    with another_device(browser, lab, 1, line) as other:
        wait_until(other, lambda: held)
        other.wait_for_timeout(2000)  # the page takes its line for open; the kernel speaks to nobody
        had = len(printed(other, 0))
        for number, (to_page, said) in enumerate(held):
            servers[number] = to_page.connect_to_server()
            for message in said:
                servers[number].send(message)
        whole = "".join(f"step {step}\n" for step in range(steps))
        wait_until(other, lambda: printed(other, 0).endswith(f"step {steps - 1}\n"))
        assert printed(other, 0) == whole
        assert had < len(whole), "it came late; else this test shows nothing"


@pytest.mark.parametrize("ui", ["lab", "notebook"])
def test_what_changes_while_the_notebook_is_being_saved_is_saved_too(
    start_lab: Callable[..., Lab], page: Page, tmp_path: Path, ui: str
) -> None:
    lab = start_lab(notebook=small_notebook(tmp_path / "slow.ipynb", "'first'"), extra=["--ui", ui])
    page.goto(lab.url)
    wait_notebook(page, cells=1)
    wait_kernel(page)
    held: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == "PUT" and not held:
            held.append(route)
        else:
            route.fallback()

    page.route("**/api/contents/**", hold)
    edit = "(text) => window.jupyterapp.shell.currentWidget.content.widgets[0].model.sharedModel.setSource(text)"
    page.evaluate(edit, "'second'")
    wait_until(page, lambda: held)  # a slow disk, or a slow network
    page.evaluate(edit, "'third'")
    held[0].continue_()
    file = lab.folder / "slow.ipynb"
    wait_until(page, lambda: "second" in file.read_text(encoding="utf-8"))
    wait_until(page, lambda: "third" in file.read_text(encoding="utf-8"))
    written = file.stat().st_mtime_ns
    page.wait_for_timeout(5000)
    assert file.stat().st_mtime_ns == written, "it is not saved again and again"


def test_two_saves_at_once_do_not_ask_the_person_whose_file_it_is(
    start_lab: Callable[..., Lab], page: Page, tmp_path: Path
) -> None:
    lab = start_lab(notebook=small_notebook(tmp_path / "twice.ipynb", "'first'"))
    page.goto(lab.url)
    wait_notebook(page, cells=1)
    wait_kernel(page)
    held: list[tuple[Route, APIResponse]] = []

    def hold(route: Route) -> None:
        if route.request.method == "PUT" and not held:
            held.append((route, route.fetch()))
        else:
            route.fallback()

    page.route("**/api/contents/**", hold)
    page.evaluate(
        "(text) => window.jupyterapp.shell.currentWidget.content.widgets[0].model.sharedModel.setSource(text)",
        "'second'",
    )
    wait_until(page, lambda: held)  # it is on disk, and the page does not know it yet
    page.evaluate("() => { window.__saved = window.jupyterapp.commands.execute('docmanager:save').then(() => true); }")
    page.wait_for_timeout(1000)
    route, response = held[0]
    route.fulfill(response=response)
    page.evaluate("() => Promise.race([window.__saved, new Promise((go) => setTimeout(go, 10_000))])")
    assert page.locator(".jp-Dialog").all_inner_texts() == []
    assert page.evaluate("() => Promise.race([window.__saved, Promise.resolve(false)])"), "saved after the other one"


def test_who_said_no_once_is_asked_again_and_can_save(
    start_lab: Callable[..., Lab], page: Page, tmp_path: Path
) -> None:
    lab = start_lab(notebook=small_notebook(tmp_path / "asked.ipynb", "'first'"))
    page.goto(lab.url)
    wait_notebook(page, cells=1)
    wait_kernel(page)
    file = lab.folder / "asked.ipynb"
    file.write_text(file.read_text(encoding="utf-8").replace("first", "elsewhere"), encoding="utf-8")
    edit = "(text) => window.jupyterapp.shell.currentWidget.content.widgets[0].model.sharedModel.setSource(text)"
    page.evaluate(edit, "'here'")  # and is soon saved, which asks
    page.locator(".jp-Dialog button", has_text="Cancel").click()
    page.wait_for_timeout(500)
    page.evaluate("() => { window.jupyterapp.commands.execute('docmanager:save'); }")
    page.locator(".jp-Dialog button", has_text="Overwrite").click()
    wait_until(page, lambda: "here" in file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("steps", [20, 80], ids=["ended meanwhile", "goes on"])
def test_a_page_that_slept_catches_up_and_what_it_saved_meanwhile_is_not_the_last_word(
    start_lab: Callable[..., Lab], page: Page, tmp_path: Path, steps: int
) -> None:
    loop = f"import time\nfor step in range({steps}): print('step', step, flush=True); time.sleep(0.1)"
    lab = start_lab(notebook=small_notebook(tmp_path / "sleeps.ipynb", loop))
    asleep: list[bool] = []
    lines: list[WebSocketRoute] = []

    def line(to_page: WebSocketRoute) -> None:
        lines.append(to_page)
        server, own = to_page.connect_to_server(), len(lines)
        server.on_message(lambda message: None if asleep and own == 1 else to_page.send(message))

    page.route_web_socket(re.compile("/channels"), line)
    page.goto(lab.url)
    wait_notebook(page, cells=1)
    wait_kernel(page)
    run_all(page)
    wait_until(page, lambda: "step 3" in printed(page, 0))
    asleep.append(True)  # the computer's lid is closed: neither side notices
    page.wait_for_timeout(3000)
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")  # awake: the first that it does
    had = printed(page, 0)
    lines[0].close()
    whole = "".join(f"step {step}\n" for step in range(steps))
    wait_until(page, lambda: printed(page, 0) == whole)
    assert len(had) < len(whole), "it slept; else this test shows nothing"
    state = "() => window.jupyterapp.shell.currentWidget.content.widgets.map((c) => c.model.executionState)"
    wait_until(page, lambda: page.evaluate(state) == ["idle"])
    file = lab.folder / "sleeps.ipynb"
    wait_until(page, lambda: f"step {steps - 1}" in file.read_text(encoding="utf-8"), 10)
    (cell,) = nbformat.read(file, 4).cells
    assert cell.execution_count == 1
    assert "".join(one["text"] for one in cell.outputs) == whole


@pytest.mark.parametrize("minor", [5, 0], ids=["written by Jupyter", "written by Colab"])
def test_a_kernel_that_is_restarted_leaves_no_cell_running_for_ever(
    start_lab: Callable[..., Lab], page: Page, browser: Browser, tmp_path: Path, minor: int
) -> None:
    path = small_notebook(tmp_path / "again.ipynb", "print('begun', flush=True)\nimport time; time.sleep(60)", "2")
    content = json.loads(path.read_text(encoding="utf-8"))
    if not minor:
        content["nbformat_minor"] = minor
        for cell in content["cells"]:
            del cell["id"]  # then its output finds it by a name that the lab gives it
        path.write_text(json.dumps(content), encoding="utf-8")
    lab = start_lab(notebook=path)
    page.goto(lab.url)
    wait_notebook(page, cells=2)
    wait_kernel(page)
    run_all(page)
    wait_until(page, lambda: "begun" in printed(page, 0))
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    wait_kernel(page)
    page.goto("about:blank")
    with another_device(browser, lab, 2) as other:
        wait_kernel(other)
        wait_until(other, lambda: "begun" in printed(other, 0))
        other.wait_for_timeout(2000)
        prompts = other.evaluate(
            "() => window.jupyterapp.shell.currentWidget.content.widgets.map((c) => c.model.executionState)"
        )
        assert prompts == ["idle", "idle"]


SAY_PID = "import os\nprint('pid', os.getpid(), flush=True)"
TRAIN_ON = "import time\nfor step in range(600): print('step', step, flush=True); time.sleep(0.1)"
CRASH = """\
import ctypes
ctypes.string_at(0)"""
OPENMP = """\
import os
os.write(2, b"OMP: Error #15: Initializing libiomp5.so, but found libomp.so already initialized.\\n")
os.abort()"""
FULL = """\
import pathlib, time
while not pathlib.Path("go").exists():
    time.sleep(0.1)
held = [b"x" * 10_000_000 for _ in range(200)]"""


def death(page: Page, cell: int) -> dict[str, Any]:
    """What is told below a cell of a kernel that has ended."""
    kind = "application/vnd.firstlight.death+json"
    return wait_until(
        page, lambda: next((one["data"][kind] for one in outputs(page)[cell] if kind in one.get("data", {})), None)
    )


@pytest.mark.parametrize(
    ("ui", "code", "number", "cause", "said"),
    [
        ("lab", TRAIN_ON, signal.SIGKILL, "killed", "SIGKILL"),
        ("notebook", TRAIN_ON, signal.SIGKILL, "killed", "SIGKILL"),
        ("lab", CRASH, None, "crash", "SIGSEGV"),
        ("lab", OPENMP, None, "openmp", "OMP: Error #15"),
        ("lab", "import os, time\ntime.sleep(0.5)\nos._exit(3)", None, "ended", "exit code 3"),
    ],
    ids=["killed", "killed-notebook-7", "crash", "openmp", "ended"],
)
def test_why_a_kernel_ended_stands_below_the_cell_that_ran(
    start_lab: Callable[..., Lab],
    page: Page,
    tmp_path: Path,
    ui: str,
    code: str,
    number: int | None,
    cause: str,
    said: str,
) -> None:
    notebook = small_notebook(tmp_path / "dies.ipynb", SAY_PID, code)
    lab = start_lab(notebook=notebook, extra=["--ui", ui])
    page.goto(lab.url)
    wait_notebook(page, cells=2)
    wait_kernel(page)
    run_all(page)
    pid = kernel_pid(page)
    if number is not None:
        wait_until(page, lambda: "step 3" in printed(page, 1))
        os.kill(pid, number)
    told = death(page, 1)
    assert told["cause"] == cause
    assert said in told["sentences"][0]
    shown = page.locator(".fl-death")
    shown.wait_for()
    assert all(sentence in shown.inner_text() for sentence in told["sentences"])
    if cause == "crash":
        assert 'File "<cell>", line 2' in told["words"], "the line of the cell that crashed"
    file = lab.folder / "dies.ipynb"
    wait_until(page, lambda: told["sentences"][2] in file.read_text(encoding="utf-8"), 10)


@pytest.fixture
def tight() -> Iterator[Callable[[int], None]]:
    """Puts a process into a group in which it may take 300 MB more."""
    group = Path("/sys/fs/cgroup/memory") / f"firstlight-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text("300000000")
    except OSError as error:
        pytest.skip(f"no memory group can be made here: {error}")
    yield lambda pid: (group / "cgroup.procs").write_text(str(pid)) and None
    for _attempt in range(100):
        with contextlib.suppress(OSError):
            group.rmdir()
            return
        time.sleep(0.1)


def test_a_kernel_that_the_system_ended_for_want_of_memory_is_told_as_that(
    start_lab: Callable[..., Lab], page: Page, tmp_path: Path, tight: Callable[[int], None]
) -> None:
    notebook = small_notebook(tmp_path / "full.ipynb", SAY_PID, FULL)
    lab = start_lab(notebook=notebook, lang="ja")
    page.goto(lab.url)
    wait_notebook(page, cells=2)
    wait_kernel(page)
    run_all(page)
    tight(kernel_pid(page))
    page.wait_for_timeout(1500)  # the lab has looked at it in its new group
    (lab.folder / "go").touch()
    assert death(page, 1)["cause"] == "memory"


@pytest.mark.timeout(180)
def test_a_kernel_that_dies_has_its_last_weights_offered_and_one_click_takes_them_up(
    start_lab: Callable[..., Lab], page: Page, tmp_path: Path
) -> None:
    """A button puts its code into a new cell and runs it."""
    notebook = small_notebook(tmp_path / "trains.ipynb", SAY_PID, MAKE, TRAIN.format(steps=40))
    lab = start_lab(notebook=notebook)
    page.goto(lab.url)
    wait_notebook(page, cells=3)
    wait_kernel(page)
    run_all(page)
    wait_until(page, lambda: "step 30" in printed(page, 2))
    checkpoints = "runs/*/checkpoints/step-40.json"
    wait_until(page, lambda: list(lab.folder.glob(checkpoints)))
    os.kill(kernel_pid(page), signal.SIGKILL)
    death(page, 2)
    page.locator(".jp-Dialog .jp-mod-accept").click()  # JupyterLab's own word, on top of the page
    page.get_by_role("button", name=re.compile(r"Go on with the weights of step 40, .* ago")).click()
    wait_until(page, lambda: len(outputs(page)) == 4 and "goes on from step 40" in printed(page, 3), 60)
    run_all(page)
    wait_until(page, lambda: "Going on from step 40" in printed(page, 2), 60)
    assert len(list(lab.folder.glob("runs/*"))) == 1


def test_a_killed_lab_costs_a_few_seconds_of_a_notebook(browser: Browser) -> None:
    """The short form of `python -m benchmarks.reliability.killed_lab`, with a page and without."""
    from benchmarks.reliability.killed_lab import BAR_S, lost

    for closed in (False, True):
        found = lost(browser, wait_s=5, closed=closed)
        assert max(found.values()) < BAR_S, found


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_minute_of_trainings_leaves_nothing_behind() -> None:
    """The short form of `python -m benchmarks.reliability.soak`: what leaks with every training shows at once."""
    words = [sys.executable, "-m", "benchmarks.reliability.soak", "--minutes", "0.8", "--json"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    rows = {row["what"]: row for row in json.loads(done.stdout)["rows"]}
    for what in (
        "server, memory",
        "server, files",
        "server, threads",
        "kernel, files",
        "kernel, threads",
        "lab's folder",
    ):
        assert rows[what]["kept"], rows[what]
    assert rows["page, scripts"]["rose"] < 20 * 100_000, "a page keeps no copy of the view for each run"
