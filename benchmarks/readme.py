"""Quote the newest results in README.md, README.ja.md and README.ko.md.

    .venv/bin/python -m benchmarks.readme

A line of README's table ends with the name of its row: `| what | 5.8x | >= 5x <!-- fit-plain --> |`. The second cell is
replaced, and so is the name of the results file wherever it stands.
"""

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
READMES = [ROOT / name for name in ("README.md", "README.ja.md", "README.ko.md")]
LINE = re.compile(r"^(?P<what>\|[^|\n]*\|) *(?P<value>[^|\n]*?) *(?P<rest>\|[^|\n]*<!-- (?P<name>[\w-]+) -->)", re.M)
FILE = re.compile(r"benchmarks/results(?:/[\dTZ:-]+\.json)?(?=[`)\]])")


def newest() -> Path | None:
    return max(RESULTS.glob("*.json"), default=None)


def numbers(results: Path | None) -> dict[str, float | None]:
    """The name of each row, and its number."""
    if results is None:
        return {}
    rows: list[dict[str, Any]] = json.loads(results.read_text(encoding="utf-8"))["rows"]
    return {row["name"]: row["number"] for row in rows}


def spelled(name: str, number: float | None) -> str:
    """A number as README writes it."""
    if number is None:
        return "–"
    if name in ("import", "help"):
        return f"{1000 * number:.0f} ms"
    if name.startswith(("watch-", "forecast-", "torchinfo-")):
        return f"{number:.1%}"
    if name in ("record-million", "page-memory"):
        return f"{number:.0f} MB"
    if name.startswith("record-"):
        return f"{number:.0f} B"
    if name == "page-frames":
        return f"{number:.0f}"
    return f"{number:.0%}" if name in ("peak", "to-90") else f"{number:.1f}x"


def quoted(text: str) -> dict[str, str]:
    """What a README says: the name of each row, and its number as written."""
    return {line["name"]: line["value"] for line in LINE.finditer(text)}


def quote(text: str, results: Path | None) -> str:
    found = numbers(results)
    text = LINE.sub(
        lambda line: f"{line['what']} {spelled(line['name'], found.get(line['name']))} {line['rest']}", text
    )
    place = "benchmarks/results" if results is None else f"benchmarks/results/{results.name}"
    return FILE.sub(place, text)


def main() -> None:
    for path in READMES:
        path.write_text(quote(path.read_text(encoding="utf-8"), newest()), encoding="utf-8")


if __name__ == "__main__":
    main()
