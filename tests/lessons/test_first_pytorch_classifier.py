"""The lesson from its first cell to its last in a real kernel, on the embedded data and on CIFAR-10."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from firstlight.lessons import notebook_path

LESSON = "first_pytorch_classifier"
CIFAR = Path(__file__).parents[3] / "shared" / "data" / "cifar10.py"
pytestmark = [
    pytest.mark.jupyter,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the Jupyter client and its event loop
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def run(book: nbformat.NotebookNode, folder: Path, monkeypatch: pytest.MonkeyPatch, timeout: int) -> list[str]:
    """Run all cells; what they showed, as text."""
    monkeypatch.setenv("FIRSTLIGHT_LANG", "en")
    monkeypatch.setenv("FIRSTLIGHT_RUNS", str(folder / "runs"))
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    NotebookClient(
        book, timeout=timeout, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    return [
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for cell in book.cells
        for output in cell.get("outputs", [])
    ]


def accuracies(texts: list[str]) -> tuple[float, float]:
    line = next(text for text in texts if "small CNN" in text)
    first, second = (float(value) for value in re.findall(r"([\d.]+)%", line))
    return first, second


@pytest.mark.timeout(120)  # about 25 s on two quiet cores
def test_the_whole_lesson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = nbformat.read(notebook_path(LESSON, "en"), as_version=4)
    texts = run(book, tmp_path, monkeypatch, timeout=60)
    first, second = accuracies(texts)
    assert second >= 85.0
    assert second > first > 70.0
    assert not [text for text in texts if text.startswith("✗")]
    assert sum(text.startswith("✓ Equal") for text in texts) >= 6
    assert any("16 × 4 × 4 = 256" in text for text in texts)
    assert not [
        output for cell in book.cells for output in cell.get("outputs", []) if output.get("name") == "stderr"
    ], "nothing warns"
    assert (tmp_path / "first_classifier.pt").stat().st_size > 50_000


@pytest.fixture(scope="module")
def cifar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not CIFAR.exists():
        pytest.skip(f"{CIFAR} is not there")
    folder = tmp_path_factory.mktemp("cifar")
    subprocess.run([sys.executable, str(CIFAR), str(folder)], check=True)
    return folder / "cifar-10-batches-py"


@pytest.mark.timeout(170)  # one epoch over 50,000 colour photos takes 20 to 60 s; laying them out takes 20 s
def test_the_lesson_on_cifar10(cifar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / cifar.name).symlink_to(cifar, target_is_directory=True)
    monkeypatch.setenv("FIRSTLIGHT_DATA", str(data))
    book = nbformat.read(notebook_path(LESSON, "en"), as_version=4)
    for cell in book.cells:
        cell.source = cell.source.replace('DATASET = "fashion_mnist_small"', 'DATASET = "cifar10"')
    texts = run(book, tmp_path, monkeypatch, timeout=150)
    assert accuracies(texts)[1] >= 60.0
    assert any("16 × 5 × 5 = 400" in text for text in texts)
    assert not [text for text in texts if text.startswith("✗")]
