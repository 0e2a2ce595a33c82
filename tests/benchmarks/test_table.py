"""The table: what is printed, what is kept, and that README quotes what was kept last."""

import datetime
import json
from pathlib import Path

import pytest
from benchmarks.harness import ContenderFailed, Quiet, Ratio, TooNoisy, machine
from benchmarks.rows import Row, at_least

from benchmarks import __main__ as bench
from benchmarks import readme, rows, watch_peers

WHEN = datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.timezone.utc)


@pytest.fixture
def found() -> list[Row]:
    return [
        at_least("fast", "ours against theirs", Ratio(6.0, 5.5, 6.5), 5, {"turns": {"ours": [1.0]}}),
        at_least("slow", "the same, larger", Ratio(4.9, 4.8, 7.0), 5, {}),
        Row("gpu-94", "on one H100", "<= 2.0 s", "not measured: no CUDA device", None, None),
    ]


def test_each_row_says_its_bar_its_number_and_its_verdict(found: list[Row]) -> None:
    text = bench.table(found, machine(), WHEN, 90)
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if " | " in line]
    assert lines[0] == ["measured", "bar", "found", "verdict"]
    assert lines[1] == ["ours against theirs", ">= 5x", "6.00x (5.50 to 6.50)", "reached"]
    assert lines[2][2:] == ["4.90x (4.80 to 7.00)", "NOT reached"]
    assert lines[3][2:] == ["not measured: no CUDA device", "-"]
    assert "2026-01-02 03:04 UTC" in text


def test_what_was_found_is_kept_with_the_machine(
    found: list[Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "RESULTS", tmp_path / "results")
    path = bench.save(found, machine(), WHEN, "the table", ["fit: other processes used 0.80 cores"])
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert path.name == "2026-01-02T0304Z.json"
    assert kept["machine"]["processors"] == machine()["processors"]
    assert [row["verdict"] for row in kept["rows"]] == ["reached", "NOT reached", "-"]
    assert kept["did_not_count"] == ["fit: other processes used 0.80 cores"]
    assert path.with_suffix(".txt").read_text(encoding="utf-8") == "the table\n"


def test_a_noisy_machine_and_a_broken_contender_are_rows_and_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def noisy(quiet: Quiet) -> list[Row]:
        raise TooNoisy("other processes used 1.20 cores")

    def broken(quiet: Quiet) -> list[Row]:
        raise ContenderFailed("python -m benchmarks.peers.plain ended with status 1:\nMemoryError")

    def fine(quiet: Quiet) -> list[Row]:
        return [Row("fine", "fine", "-", "1 s", 1.0, True)]

    monkeypatch.setattr(bench, "ROWS", {"noisy": noisy, "broken": broken, "fine": fine})
    measured, refused = bench.measure(["noisy", "broken", "fine"], Quiet(others=1e9, slower=1e9))
    assert refused
    assert [row.verdict for row in measured] == ["-", "-", "reached"]
    assert "too noisy: other processes used 1.20 cores" in measured[0].value
    assert measured[1].value.startswith("failed: python -m benchmarks.peers.plain")


def test_an_unknown_part_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench.main(["imports", "nonsense"])
    assert "unknown: nonsense" in capsys.readouterr().err


def test_without_a_cuda_device_its_row_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    row = rows.gpu(Quiet(others=1e9, slower=1e9))[0]
    assert (row.value, row.verdict) == ("not measured: no CUDA device", "-")


@pytest.mark.parametrize("path", readme.READMES, ids=lambda path: path.name)
def test_readme_quotes_the_newest_results(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(readme.quoted(text)) >= 8
    assert readme.quote(text, readme.newest()) == text, "run: python -m benchmarks.readme"


def test_a_readme_takes_its_numbers_from_the_results(tmp_path: Path) -> None:
    kept = {"rows": [{"name": "fit-plain", "number": 5.84}, {"name": "peak", "number": 0.613}]}
    results = tmp_path / "2026-01-02T0304Z.json"
    results.write_text(json.dumps(kept), encoding="utf-8")
    text = "| a | – | >= 5x <!-- fit-plain --> |\n| b | 1% | >= 50 % <!-- peak --> |\n[x](benchmarks/results)\n"
    found = readme.quote(text, results)
    assert found == (
        "| a | 5.8x | >= 5x <!-- fit-plain --> |\n| b | 61% | >= 50 % <!-- peak --> |\n"
        "[x](benchmarks/results/2026-01-02T0304Z.json)\n"
    )
    assert readme.quote(found, results) == found
    assert readme.quoted(found) == {"fit-plain": "5.8x", "peak": "61%"}


@pytest.mark.parametrize(
    ("name", "number", "spelled"),
    [
        ("help", 0.051, "51 ms"),
        ("watch-lenet", 0.0151, "1.5%"),
        ("forecast-worst", 0.0989, "9.9%"),
        ("record-mlp", 12.3, "12 B"),
        ("record-million", 3.9, "4 MB"),
        ("page-frames", 59.9, "60"),
        ("page-memory", 32.1, "32 MB"),
        ("fit-plain", None, "–"),
    ],
)
def test_a_readme_spells_numbers_with_their_units(name: str, number: float | None, spelled: str) -> None:
    assert readme.spelled(name, number) == spelled


def test_what_other_tools_cost_stands_below_the_table(found: list[Row]) -> None:
    own = {work: {"step_ms": 10.0, "watched_step_ms": 10.1, "overhead": 0.01} for work in watch_peers.WORKS}
    one = {"plain_s": 0.01, "step_s": 0.02, "ratio": 2.0}
    others = {tool: dict.fromkeys(watch_peers.WORKS, one) for tool in watch_peers.TOOLS}
    others["torchview"] = {work: {"failed": "ModuleNotFoundError: graphviz"} for work in watch_peers.WORKS}
    lines = watch_peers.table(own, others)
    assert len({line.count(" | ") for line in [lines[0], *lines[2:]]}) == 1, "each row has all columns"
    text = bench.table([*found, Row("tools", "tools", "-", "-", None, None, {"lines": lines})], machine(), WHEN, 1)
    assert "10 -> 20 ms, 2.00x" in text
    assert "fails: ModuleNotFoundError: graphviz" in text
