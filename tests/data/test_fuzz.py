"""Good files with changes that nobody thought of: the short form of `benchmarks/reliability/fuzz.py`."""

import warnings
from pathlib import Path

import pytest
from benchmarks.reliability.fuzz import INTERESTING, READERS, guarded, mutated
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize("name", READERS)
@pytest.mark.timeout(180)
def test_a_changed_file_is_read_or_refused_in_our_words(name, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    seeds, target = READERS[name].seeds(), READERS[name].target(tmp_path)
    findings = tmp_path / "findings"
    findings.mkdir()
    once = guarded(target, findings)

    @settings(
        derandomize=True, max_examples=25, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.sampled_from(seeds), st.randoms(use_true_random=False), st.sampled_from((b"", *INTERESTING)))
    def change(seed, source, more):
        once(mutated(seed, source) + more)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of metadata
        for seed in seeds:
            once(seed)
        change()
    assert [path.read_text(encoding="utf-8") for path in findings.glob("*.txt")] == []


def test_what_is_not_ours_is_written_down_once(tmp_path: Path):
    def broken(data: bytes) -> None:
        raise KeyError(data)

    once = guarded(broken, tmp_path)
    once(b"a")
    once(b"b")
    assert [path.read_bytes() for path in tmp_path.glob("*.bin")] == [b"a"]
