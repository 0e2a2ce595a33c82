"""The learner's copies of the lessons: made once, never changed."""

import json
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from firstlight.lab import folder as room
from firstlight.lab.folder import FolderUnusable, NotebookMissing, chosen, prepare
from firstlight.lessons import lessons, notebook_path
from tests.lab.labs import small_notebook

NAME = "first_pytorch_classifier.ipynb"


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lessons that a test may change, as a new version of the package would."""
    place = tmp_path / "shipped"

    def path(lesson: str, lang: str) -> Path:
        copy = place / lang / f"{lesson}.ipynb"
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(notebook_path(lesson, lang).read_bytes())
        return copy

    for lang in ("en", "ja", "ko"):
        path("first_pytorch_classifier", lang)
    monkeypatch.setattr(room, "notebook_path", path)
    return place


def change(path: Path) -> bytes:
    """Another version of a notebook."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook["cells"].append({"cell_type": "markdown", "id": "new", "metadata": {}, "source": "one more"})
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path.read_bytes()


def test_the_lesson_is_copied_once(tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "deep"
    assert prepare(folder, "ja").notebook == NAME
    assert (folder / NAME).read_bytes() == notebook_path("first_pytorch_classifier", "ja").read_bytes()
    mine = change(folder / NAME)
    again = prepare(folder, "ja")
    assert (again.notebook, again.newer) == (NAME, None)
    assert (folder / NAME).read_bytes() == mine


def test_a_newer_lesson_is_put_beside_the_learners_copy_once(tmp_path: Path, shipped: Path) -> None:
    folder = tmp_path / "mine"
    prepare(folder, "en")
    mine = change(folder / NAME)
    new = change(shipped / "en" / NAME)
    place = prepare(folder, "en")
    assert (place.notebook, place.newer) == (NAME, "first_pytorch_classifier.v2.ipynb")
    assert (folder / NAME).read_bytes() == mine
    assert (folder / "first_pytorch_classifier.v2.ipynb").read_bytes() == new
    (folder / "first_pytorch_classifier.v2.ipynb").unlink()  # not wanted
    assert prepare(folder, "en").newer is None
    change(shipped / "en" / NAME)
    assert prepare(folder, "en").newer == "first_pytorch_classifier.v2.ipynb"
    change(shipped / "en" / NAME)
    assert prepare(folder, "en").newer == "first_pytorch_classifier.v3.ipynb"


def test_every_lesson_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    assert len(lessons()) >= 2
    assert prepare(folder, "ko").notebook == NAME
    for name in lessons():
        assert (folder / f"{name}.ipynb").read_bytes() == notebook_path(name, "ko").read_bytes()


@pytest.mark.parametrize("name", ["making_it_fast", "making_it_fast.ipynb"])
def test_a_lesson_can_be_named(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    assert chosen(folder, name, "ja").notebook == "making_it_fast.ipynb"
    mine = change(folder / "making_it_fast.ipynb")
    assert chosen(folder, name, "ja") == room.Place("making_it_fast.ipynb")
    assert (folder / "making_it_fast.ipynb").read_bytes() == mine
    assert chosen(folder, "making_it_fast", "ko").notebook == "making_it_fast.ko.ipynb"


def test_newer_lessons_are_all_named(tmp_path: Path, shipped: Path) -> None:
    folder = tmp_path / "mine"
    prepare(folder, "en")
    for name in (NAME, "making_it_fast.ipynb"):
        change(shipped / "en" / name)
    assert prepare(folder, "en").newer == "first_pytorch_classifier.v2.ipynb, making_it_fast.v2.ipynb"
    assert prepare(folder, "en").newer is None


def test_another_language_goes_beside(tmp_path: Path, shipped: Path) -> None:
    folder = tmp_path / "mine"
    assert prepare(folder, "en").notebook == NAME
    assert prepare(folder, "ja").notebook == "first_pytorch_classifier.ja.ipynb"
    assert prepare(folder, "ko").notebook == "first_pytorch_classifier.ko.ipynb"
    mine = change(folder / "first_pytorch_classifier.ja.ipynb")
    assert prepare(folder, "ja").notebook == "first_pytorch_classifier.ja.ipynb"
    assert (folder / "first_pytorch_classifier.ja.ipynb").read_bytes() == mine
    assert prepare(folder, "en").notebook == NAME
    change(shipped / "ja" / NAME)
    assert prepare(folder, "ja").newer == "first_pytorch_classifier.ja.v2.ipynb"


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"copies": {"x": {}}}', '{"copies": []}'])
def test_a_damaged_manifest_costs_no_file(damage: str, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    prepare(folder, "en")
    mine = change(folder / NAME)
    (folder / ".firstlight.json").write_text(damage)
    place = prepare(folder, "en")
    assert (folder / NAME).read_bytes() == mine
    assert place.notebook == NAME, "the notebook itself says that it is the lesson"
    assert prepare(folder, "en").newer is None, "the offer was made"


def test_a_notebook_of_ones_own_under_our_name_stays(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    mine = small_notebook(folder / NAME).read_bytes()
    assert prepare(folder, "en").notebook == "first_pytorch_classifier.en.ipynb"
    assert (folder / NAME).read_bytes() == mine
    (folder / "first_pytorch_classifier.en.ipynb").write_text("mine too")
    (folder / ".firstlight.json").unlink()
    assert prepare(folder, "en").notebook == "first_pytorch_classifier.en.v2.ipynb"
    assert (folder / "first_pytorch_classifier.en.ipynb").read_text() == "mine too"


def test_a_lesson_that_does_not_fit_is_copied_whole_once_there_is_room(
    tmp_path: Path, full_disk: Callable[[int], AbstractContextManager[None]]
) -> None:
    with full_disk(1_000), pytest.raises(FolderUnusable):
        prepare(tmp_path, "en")
    assert list(tmp_path.iterdir()) == []
    assert prepare(tmp_path, "en").notebook == NAME
    assert (tmp_path / NAME).read_bytes() == notebook_path("first_pytorch_classifier", "en").read_bytes()


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderUnusable, match=r"file.deep"):
        prepare(tmp_path / "file" / "deep", "en")


@pytest.mark.parametrize("name", ["nothing.ipynb", "../outside.ipynb", "link.ipynb", "."])
def test_only_a_file_inside_the_folder_is_opened(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (tmp_path / "outside.ipynb").write_text("")
    if os.name != "nt":
        (folder / "link.ipynb").symlink_to(tmp_path / "outside.ipynb")
    with pytest.raises(NotebookMissing, match="dir FOLDER"):
        chosen(folder, name, "en")


def test_a_notebook_in_a_subfolder_is_opened(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    small_notebook(tmp_path / "a b" / "c.ipynb")
    assert chosen(tmp_path, "a b/c.ipynb", "en").notebook == "a b/c.ipynb"
