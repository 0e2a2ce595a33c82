"""The learner's folder: lessons are copied into it once and belong to the learner from then on."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstlight.errors import FirstlightError
from firstlight.files import gone_if_it_fails
from firstlight.lab.command import command
from firstlight.lab.home import write_json
from firstlight.lessons import lessons, notebook_path
from firstlight.locale import Text

LESSON = "first_pytorch_classifier"
MANIFEST = ".firstlight.json"


class FolderUnusable(FirstlightError, OSError):
    """The learner's folder cannot be made or written to."""

    text = Text(
        what="The folder {folder} cannot be used: {reason}",
        why="Your copy of the lesson and your runs are kept there.",
        do="Name another one: {command} lab --dir FOLDER",
    )


class NotebookMissing(FirstlightError, FileNotFoundError):
    """`--notebook` names a file that is not in the folder."""

    text = Text(
        what="There is no notebook {name} in {folder}.",
        why="--notebook names a file inside the lab's folder.",
        do="Check the name, or name the folder too: {command} lab --dir FOLDER --notebook NAME",
    )


@dataclass(frozen=True)
class Place:
    """Which notebook of the folder to open, and what there is to say about it."""

    notebook: str
    newer: str | None = None  # newer lessons that were put beside the learner's copies just now


def default_folder() -> Path:
    """`~/firstlight`."""
    return Path.home() / "firstlight"


def prepare(folder: Path, lang: str, lesson: str = LESSON) -> Place:
    """Make sure that the folder holds the lessons in a language. No existing file is ever changed.

    A copy in the same language is opened as it is. When the shipped lesson is newer than the one that was copied, the
    new one is put beside it, once, as `first_pytorch_classifier.v2.ipynb`. A copy in another language stays; ours goes
    beside it as `first_pytorch_classifier.ja.ipynb`.

    Args:
        folder: The learner's folder; made where it is missing.
        lang: Language of the lesson.
        lesson: Name of the lesson to open; the others are put beside it.

    Returns:
        The notebook to open, and those newer than the learner's, if there are any that were not offered before.

    Raises:
        FolderUnusable: The folder cannot be made, read or written.
    """
    shipped = {name: notebook_path(name, lang) for name in (lesson, *lessons())}
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # notebooks and runs are their owner's
        places = [_place(folder, lang, name, path.read_bytes()) for name, path in shipped.items()]
        return Place(places[0].notebook, newer=", ".join(place.newer for place in places if place.newer) or None)
    except OSError as error:
        raise FolderUnusable(folder=folder, reason=error.strerror or error, command=command()) from error


def chosen(folder: Path, name: str, lang: str) -> Place:
    """The notebook that the person named: a lesson by its name, or a file that is inside the folder.

    Args:
        folder: The learner's folder.
        name: `making_it_fast`, or the name of a file in the folder.
        lang: Language of the lesson.

    Raises:
        NotebookMissing: It is not there, or it is somewhere else.
    """
    path = (folder / name).resolve()
    if not path.exists() and name.removesuffix(".ipynb") in lessons():
        return prepare(folder, lang, name.removesuffix(".ipynb"))
    if not path.is_file() or folder.resolve() not in path.parents:
        raise NotebookMissing(name=name, folder=folder, command=command())
    return Place(path.relative_to(folder.resolve()).as_posix())


def _place(folder: Path, lang: str, lesson: str, content: bytes) -> Place:
    manifest = _read_manifest(folder)
    copies: dict[str, dict[str, str]] = manifest["copies"]
    digest = hashlib.sha256(content).hexdigest()

    def put(name: str) -> bool:
        try:
            file = (folder / name).open("xb")  # "x": a file of that name is left alone
        except FileExistsError:
            return False
        with gone_if_it_fails(folder / name), file:  # half a lesson would be taken for the learner's own for ever
            file.write(content)
        copies[name] = {"lesson": lesson, "lang": lang, "sha256": digest}
        write_json(folder / MANIFEST, manifest)
        return True

    for name in (f"{lesson}.ipynb", f"{lesson}.{lang}.ipynb"):
        if put(name):
            return Place(name)
        copy = copies.get(name) or _read_metadata(folder / name, lesson)
        if copy is None or copy["lang"] != lang:
            continue  # another language, or a notebook of the learner's own under our name
        seen = {copy["sha256"]} | {c["sha256"] for c in copies.values() if (c["lesson"], c["lang"]) == (lesson, lang)}
        if digest in seen:
            return Place(name)
        return Place(name, newer=_beside(name, put))
    return Place(_beside(f"{lesson}.{lang}.ipynb", put))


def _beside(name: str, put: Any) -> str:
    stem = name.removesuffix(".ipynb")
    number = 2
    while not put(f"{stem}.v{number}.ipynb"):
        number += 1
    return f"{stem}.v{number}.ipynb"


def _read_manifest(folder: Path) -> dict[str, Any]:
    """What was copied here. A missing or damaged manifest costs an offer made twice, never a file."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        copies = manifest["copies"]
        return {
            "copies": {name: {key: str(c[key]) for key in ("lesson", "lang", "sha256")} for name, c in copies.items()}
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {"copies": {}}


def _read_metadata(path: Path, lesson: str) -> dict[str, str] | None:
    """What a notebook says of itself when the manifest does not know it: `metadata.firstlight`, set by the build."""
    try:
        about = json.loads(path.read_text(encoding="utf-8"))["metadata"]["firstlight"]
        return {"lesson": lesson, "lang": str(about["lang"]), "sha256": ""}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
