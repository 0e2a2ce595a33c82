"""The guide in a real kernel: cells too early, out of order, twice, and after a restart."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager

from firstlight.lessons import notebook_path
from firstlight.lessons.guide import _expected_s, attend, begin

LESSON = "first_pytorch_classifier"
pytestmark = [
    pytest.mark.jupyter,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the Jupyter client and its event loop
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


class Kernel:
    """A real kernel that runs cells of the lesson as JupyterLab does, cell id included."""

    def __init__(self, client: BlockingKernelClient, lang: str) -> None:
        self.client = client
        book = json.loads(notebook_path(LESSON, lang).read_text(encoding="utf-8"))
        self.cells = [cell for cell in book["cells"] if cell["cell_type"] == "code"]

    def run(self, part: str, *, edit: tuple[str, str] = ("", ""), upto: bool = False) -> str:
        """Run the cell that holds this piece of code (or all cells up to it); what it showed, as text."""
        index = next(i for i, cell in enumerate(self.cells) if part in "".join(cell["source"]))
        chosen = self.cells[: index + 1] if upto else [self.cells[index]]
        return "\n".join(self.code("".join(cell["source"]).replace(*edit), cell["id"]) for cell in chosen)

    def code(self, source: str, cell_id: str | None = None) -> str:
        shown: list[str] = []

        def show(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "error":
                shown.append("ERROR " + "\n".join(content["traceback"]))
            elif "data" in content:
                shown.append(content["data"].get("text/plain", ""))
            elif message["msg_type"] == "stream" and content["name"] == "stdout":
                shown.append(content["text"])

        request = self.client.session.msg(
            "execute_request",
            {"code": source, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True},
        )
        request["metadata"] = {"cellId": cell_id} if cell_id else {}
        self.client.shell_channel.send(request)
        while True:
            message = self.client.get_iopub_msg(timeout=50)
            if message["parent_header"].get("msg_id") != request["header"]["msg_id"]:
                continue
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return "\n".join(shown)
            show(message)


def started(tmp: Path, lang: str, *arguments: str) -> Iterator[Kernel]:
    environment = {
        **os.environ,
        "FIRSTLIGHT_LANG": lang,
        "FIRSTLIGHT_RUNS": str(tmp / "runs"),
        "OMP_NUM_THREADS": "1",
        "IPYTHONDIR": str(tmp / "ipython"),
    }
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env=environment, cwd=str(tmp), extra_arguments=list(arguments))
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=40)
        yield Kernel(client, lang)
    finally:
        client.stop_channels()
        manager.shutdown_kernel()  # not killed: it must write down what it covered


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    yield from started(tmp_path, "en")


def test_cells_too_early_out_of_order_and_twice(kernel: Kernel) -> None:
    assert "This lesson has 11 parts" in kernel.run("begin(")

    early = kernel.run("run = fl.watch")
    assert early.startswith("ERROR This cell needs `model`, `train`.")
    assert "2. A look at the data; 3. From pixels to a prediction" in early
    assert "NameError" not in early
    assert "Traceback" not in early

    kernel.run("loss.backward()\nslope_by_autograd", upto=True)
    again = kernel.run("slope_by_autograd")
    assert again.count("✓ Equal") == 2, "the step by hand gives the same when it is run again"
    assert "trained already" not in again

    short = ("epochs = max(1, round(50_000 / len(train)))", "epochs = 1")
    first = kernel.run("run = fl.watch", edit=short)
    assert "ERROR" not in first
    assert "trained already" not in first
    twice = kernel.run("run = fl.watch", edit=short)
    assert "`model` has been trained already" in twice
    assert "3. From pixels to a prediction" in twice
    kernel.run("model = nn.Sequential")
    assert "trained already" not in kernel.run("run = fl.watch", edit=short)

    # Another dataset, and only its own cell run again: the model belongs to the old one.
    kernel.code("DATASET = 'another'")
    assert "ERROR" in kernel.run("train, test = fl.load(DATASET)")
    assert "was made while DATASET" in kernel.run("fl.show(train)"), "what failed to load is not what is there"
    stale = kernel.run("first = fl.evaluate")
    assert "was made while DATASET was 'fashion_mnist_small'; now DATASET is 'another'" in stale
    assert "ERROR" in stale
    assert "ERROR" not in kernel.code("len(train)", "a-cell-of-the-learner")
    kernel.code("DATASET = 'fashion_mnist_small'")
    assert "Accuracy" in kernel.run("first = fl.evaluate")


def test_other_errors_stay_as_they_are(kernel: Kernel) -> None:
    kernel.run("begin(")
    assert "NameError" in kernel.code("trian")
    assert "ZeroDivisionError" in kernel.code("1 / 0")
    assert "SyntaxError" in kernel.code("1 +")
    assert kernel.code("[unknown for unknown in range(2)]") == "[0, 1]"


@pytest.mark.parametrize(("lang", "words"), [("ja", "先に次の見出しの下"), ("ko", "먼저 다음 제목")])
def test_after_a_restart_the_guide_of_the_lab_knows_the_cell(tmp_path: Path, lang: str, words: str) -> None:
    for kernel in started(tmp_path, lang, "--ext=firstlight.lessons"):
        shown = kernel.run("run_cnn = fl.watch")
        assert words in shown
        assert "NameError" not in shown
        assert words in kernel.code("len(train)"), "in a cell of the learner's own too"
        assert "NameError" in kernel.code("trian")


class Events:
    def __init__(self) -> None:
        self.names: list[str] = []

    def register(self, name: str, _call: object) -> None:
        self.names.append(name)


class Shell:
    def __init__(self) -> None:
        self.ast_transformers: list[object] = []
        self.events = Events()
        self.user_ns: dict[str, object] = {}


def test_the_guide_attends_once() -> None:
    shell = Shell()
    assert attend(shell) is attend(shell)
    assert len(shell.ast_transformers) == 1
    assert shell.events.names == ["pre_run_cell", "post_run_cell"]


def test_begin_says_how_long_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    begin(LESSON, data="my_photos")
    assert "the live view will say" in capsys.readouterr().out
    begin(LESSON, data="cifar10")
    assert "on this computer" in capsys.readouterr().out
    assert _expected_s("somewhere/else") is None
    seconds = _expected_s("fashion_mnist_small")
    assert seconds is not None
    assert 1 < seconds < 600
