"""One running lab for the tests that only look at it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.labs import Lab, running_lab, small_notebook

MARKER = "a broken configuration of the person's own was read"


@pytest.fixture(scope="session")
def person(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder whose Jupyter and IPython are broken in every way that we can think of."""
    home = tmp_path_factory.mktemp("person")
    for name in (".jupyter", ".ipython/profile_default", ".local/etc/jupyter"):
        (home / name).mkdir(parents=True)
    for name in ("jupyter_server_config.py", "jupyter_config.py", "jupyter_lab_config.py"):
        (home / ".jupyter" / name).write_text(f"raise RuntimeError({MARKER!r})")
    (home / ".jupyter" / "jupyter_server_config.json").write_text("{ not json")
    (home / ".ipython" / "profile_default" / "ipython_config.py").write_text(f"raise RuntimeError({MARKER!r})")
    return home


def fingerprint(home: Path) -> dict[str, tuple[int, bytes]]:
    """Every file of a folder, so that a change shows."""
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in home.rglob("*") if path.is_file()}


@pytest.fixture(scope="session")
def lab(person: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab in Korean, started by a person whose own Jupyter is broken."""
    tmp = tmp_path_factory.mktemp("lab")
    env = {
        "HOME": str(person),
        "JUPYTER_TOKEN": "the person's own token",
        "JUPYTER_CONFIG_PATH": str(person / ".jupyter"),
    }
    with running_lab(tmp, lang="ko", notebook=small_notebook(tmp / "small.ipynb"), env=env) as lab:
        yield lab
