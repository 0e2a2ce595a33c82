"""`firstlight gym`: the exercises with broken code: which there are, which are done, and one to begin with."""

import json
from pathlib import Path

from firstlight.lab.command import command
from firstlight.lab.folder import FolderUnusable
from firstlight.lessons import coach
from firstlight.lessons import gym as hall
from firstlight.locale import _, say


def list_exercises(folder: Path, *, as_json: bool) -> int:
    """Print all exercises, and which of them are done in a folder."""
    if as_json:
        done = coach.finished(folder)
        rows = [
            {
                "name": one.name,
                "title": one.words().title,
                "subject": one.subject,
                "level": one.level,
                "done": one.name in done,
            }
            for one in hall.exercises()
        ]
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return 0
    say(coach.show(folder).text)
    say(_("Begin one with: {command} gym NAME", command=command()))
    return 0


def begin_exercise(name: str, folder: Path, *, chosen: bool) -> int:
    """Write an exercise's notebook into a folder, and say how to open it.

    Args:
        name: The exercise.
        folder: The learner's.
        chosen: Whether the person named the folder, so that the lab must be told of it too.

    Raises:
        NoSuchExercise: There is none of that name.
        FolderUnusable: The folder cannot be made or written to.
    """
    try:
        path = coach.hand_out(name, folder)
    except OSError as error:
        raise FolderUnusable(folder=folder, reason=error.strerror or error, command=command()) from error
    words = f"{command()} lab{f' --dir {folder}' if chosen else ''} --notebook {path.name}"
    say(_("The exercise is here: {path}", path=path))
    say(_("Open it with: {command}", command=words))
    return 0
