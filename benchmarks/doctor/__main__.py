"""Measure the doctor: every program plain and under it, in a process of its own each.

    python -m benchmarks.doctor [--set dev,held,clean] [--only WORDS] [--codes L01,M01] [--fixes] [--jobs 1] [--json F]

Printed are the programs on which it is not right, and the measures with their bars. `--fixes` applies the changes that
alarms offer to the broken programs and runs those.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from benchmarks.doctor.once import prepare
from benchmarks.doctor.programs import Program, cell_lines, programs, run
from firstlight.doctor.rule import VOICES, Edit

NEAR = 2  # lines
BACK = 0.02  # of the final metric


def judge(program: Program, folder: Path) -> dict[str, Any]:
    """Run it both ways, and say how the doctor did."""
    plain, heard = run(program, "plain", folder), run(program, "doctor", folder)
    report = heard.get("report", {"findings": []})
    findings = report["findings"]
    one: dict[str, Any] = {
        "name": program.name, "kind": program.kind, "plain": plain, "doctor": heard,
        "found": [(f["rule"], f["voice"], f["line"], [c["rule"] for c in f["consequences"]]) for f in findings],
        "alarms": [f["rule"] for f in findings if f["voice"] == "alarm"],
        "same": all(plain.get(key) == heard.get(key) for key in ("how", "output", "digest")),
        "lost": heard.get("lost") or {},
    }  # fmt: skip
    if program.kind != "broken":
        return one
    facts = program.facts
    strong = [f for f in findings if VOICES.index(f["voice"]) <= VOICES.index(facts["voice"])]
    right = [f for f in strong if f["rule"] in facts["codes"]]
    one["right"] = bool(right)
    if facts.get("second"):
        one["both"] = bool(right) and any(f["rule"] in facts["second"] for f in findings)
    accepted = {*facts["codes"], *facts.get("second", []), *facts.get("also", [])}
    one["accepted"] = [code in accepted for code in one["alarms"]]
    one["symptom_free"] = facts.get("symptom_free", False)
    if right:
        first = right[0]
        one["step"] = first["step"]
        one["line"] = is_near(program, first) if program.lines else None
        one["edits"] = first["edits"] if first["voice"] == "alarm" else []
        one["file_of_edits"] = first["file"]
    return one


def is_near(program: Program, finding: dict[str, Any]) -> bool:
    """Whether a finding points within two lines of where the fault is."""
    line = finding["line"]
    if line is None:
        return False
    if program.facts.get("style") != "notebook":
        return any(abs(line - accepted) <= NEAR for accepted in program.lines)
    # Cells that ran again stand in the notebook again: the line's own text, or its place within the cell.
    return any(text == finding["text"] or abs(line - at) <= NEAR for text, at in cell_lines(program))


def mended(program: Program, one: dict[str, Any], fixed: dict[str, Any], folder: Path) -> bool | None:
    """Whether the change that the alarm offers brings back the twin's behaviour; None where it offers none."""
    if not one.get("edits") or program.facts.get("style") == "notebook":
        return None
    text = program.file.read_text()
    for edit in sorted(one["edits"], key=lambda e: -e["line"]):
        text = Edit(edit["line"], edit["old"], tuple(edit["new"])).apply(text)
    again = run(program, "doctor", folder, text)
    if again["how"] != fixed["plain"]["how"]:
        return False
    near = all(abs(a - b) <= BACK for a, b in zip(again["result"], fixed["plain"]["result"], strict=False))
    codes = {f["rule"] for f in again["report"]["findings"]}
    return near and not codes & set(program.facts["codes"])


def share(values: list[bool]) -> str:
    """A share in words."""
    return f"{sum(values)}/{len(values)} = {sum(values) / len(values):.1%}" if values else "none"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", default="dev,held,clean")
    parser.add_argument("--only", default="", help="words in the names of programs")
    parser.add_argument("--codes", default="", help="twins of these codes, and clean programs that tempt them")
    parser.add_argument("--fixes", action="store_true")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.environ.update(FIRSTLIGHT_LANG="en", FIRSTLIGHT_VIEW="off")
    torch.set_num_threads(1)
    prepare()
    codes = set(filter(None, options.codes.split(",")))
    chosen: list[tuple[str, Program]] = []
    for part in options.set.split(","):
        for program in programs(part):
            about = {*program.facts.get("codes", []), *program.facts.get("tempts", [])}
            if (not codes or codes & about) and all(word in program.name for word in options.only.split()):
                chosen.append((part, program))
    with tempfile.TemporaryDirectory() as made, ThreadPoolExecutor(options.jobs) as pool:
        folder = Path(made)
        os.environ["FIRSTLIGHT_RUNS"] = str(folder / "runs")
        found = list(pool.map(lambda pair: {"set": pair[0], **judge(pair[1], folder)}, chosen))
        if options.fixes:
            fixed = {one["name"]: one for one in found if one["kind"] == "fixed"}
            for (_part, program), one in zip(chosen, found, strict=True):
                twin = fixed.get(program.name.replace("/broken", "/fixed"))
                if one["kind"] == "broken" and twin is not None:
                    one["mended"] = mended(program, one, twin, folder)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    tell(found)
    return 0


def tell(found: list[dict[str, Any]]) -> None:
    """Print what is not right, then the measures of each set."""
    for one in found:
        problems = []
        if one["kind"] == "broken":
            problems += [] if one["right"] else ["NOT FOUND"]
            problems += ["not both"] if one.get("both") is False else []
            problems += ["WRONG ALARM"] if not all(one["accepted"]) else []
            problems += ["wrong line"] if one.get("line") is False else []
            problems += ["not mended"] if one.get("mended") is False else []
        elif one["alarms"]:
            problems.append("FALSE ALARM")
        problems += [] if one["same"] else ["NOT THE SAME RUN"]
        problems += [f"lost {one['lost']}"] if one["lost"] else []
        problems += [one["doctor"]["error"]] if one["doctor"]["how"] in ("timeout", "lost") else []
        if problems:
            print(f"{one['set']:5} {one['name']:58} {', '.join(problems)}: {one['found']}")
    for part in dict.fromkeys(one["set"] for one in found):
        print(f"\n{part}")
        for line in measures([one for one in found if one["set"] == part]):
            print(f"  {line}")
    if len({one["set"] for one in found}) > 1:
        print("\nall")
        for line in measures(found):
            print(f"  {line}")


def measures(found: list[dict[str, Any]]) -> list[str]:
    """The measures of the issue, each in a line."""
    broken = [one for one in found if one["kind"] == "broken"]
    right = [one for one in found if one["kind"] != "broken"]
    judged = [ok for one in broken for ok in one["accepted"]] + [False for one in right for _alarm in one["alarms"]]
    lines = [one["line"] for one in broken if one.get("line") is not None]
    steps = [one["step"] for one in broken if one.get("step") is not None]
    mends = [one["mended"] for one in broken if one.get("mended") is not None]
    costs = [
        one["doctor"]["seconds"] / one["plain"]["seconds"] - 1
        for one in found
        if one["doctor"].get("steps") and one["plain"]["seconds"] / one["doctor"]["steps"] > 0.001
    ]
    own = [
        one["doctor"]["own_s"] / one["plain"]["seconds"]
        for one in found
        if one["doctor"].get("steps") and one["plain"]["seconds"] / one["doctor"]["steps"] > 0.001
    ]
    free = [one["right"] for one in broken if one["symptom_free"]]
    said = []
    if broken:
        said += [
            f"right cause                     {share([one['right'] for one in broken])} (bar 90 % of held)",
            f"both of two faults              {share([one['both'] for one in broken if 'both' in one])}",
            f"any alarm on a broken program   {share([bool(one['alarms']) for one in broken])} (bar 95 %)",
            f"symptom-free faults found       {share(free)} (bar 85 %)",
            f"right line                      {share(lines)} (bar 85 %)",
            f"steps to the finding, median    {statistics.median(steps) if steps else 'none'} (bar 20)",
            f"mechanical fix brings it back   {share(mends)} (bar 85 %)",
        ]
    said += [
        f"right programs with an alarm    {sum(bool(one['alarms']) for one in right)} of {len(right)} (bar 0)",
        f"precision of alarms             {share(judged)} (bar 98 %)",
        f"the same run, bit by bit        {share([one['same'] for one in found])} (bar all)",
    ]
    if costs:
        said.append(
            f"overhead, median                {statistics.median(costs):+.1%} of {len(costs)} programs with "
            f"steps above 1 ms (bar 3 %); by its own clock {statistics.median(own):.1%}"
        )
    return said


if __name__ == "__main__":
    sys.exit(main())
