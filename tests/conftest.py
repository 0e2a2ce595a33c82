"""What every test shares: English, and folders of its own."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from firstlight.run import audience


@pytest.fixture(autouse=True)
def own_audience() -> Iterator[None]:
    """No live view stands over a test because an earlier one has used `fl.fit`."""
    before = list(audience)
    audience.clear()
    yield
    audience[:] = before


@pytest.fixture
def full_disk() -> Callable[[int], AbstractContextManager[None]]:
    """A disk that is full as soon as a file has so many bytes, for the time of a `with`."""
    resource = pytest.importorskip("resource", reason="Windows limits no files")

    @contextmanager
    def full(at_bytes: int) -> Iterator[None]:
        before = resource.getrlimit(resource.RLIMIT_FSIZE)  # Python lets no signal come, but an OSError
        resource.setrlimit(resource.RLIMIT_FSIZE, (at_bytes, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return full


@pytest.fixture(autouse=True)
def own_world(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each test speaks English and writes runs, data and settings into its own folder, never into a person's."""
    world = tmp_path_factory.mktemp("world")
    monkeypatch.setenv("FIRSTLIGHT_LANG", "en")
    monkeypatch.setenv("FIRSTLIGHT_RUNS", str(world / "runs"))
    monkeypatch.setenv("FIRSTLIGHT_DATA", str(world / "data"))
    monkeypatch.setenv("FIRSTLIGHT_HOME", str(world / "home"))
    monkeypatch.setenv("FIRSTLIGHT_CACHE", str(world / "cache"))
    monkeypatch.delenv("FIRSTLIGHT_MIRROR", raising=False)
    monkeypatch.delenv("FIRSTLIGHT_DEVICE", raising=False)
