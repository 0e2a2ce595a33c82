"""PyTorch's own warnings as findings of the rules that ask the same."""

import re
from collections.abc import Iterator
from typing import Any

from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Voice, newest
from firstlight.locale import Text, _
from firstlight.run import Run


def warnings_of(run: Run, pattern: str) -> Iterator[tuple[dict[str, Any], re.Match[str]]]:
    """The warnings with a pattern in their words, and where it stands."""
    for row in newest(run, "warnings") or []:
        found = re.search(pattern, row["message"], re.IGNORECASE)
        if found is not None:
            yield row, found


def told(row: dict[str, Any], text: Text | None = None, voice: Voice | None = None) -> Finding:
    """A warning as a finding."""
    said = " ".join(str(row["message"]).split())
    return Finding(
        evidence=_("PyTorch warns: {warning}", warning=said.split(" To silence")[0][:220]),
        step=row["step"],
        place=Place.from_json(row["place"]),
        text=text,
        voice=voice,
    )


def sizes_differ(run: Run) -> Iterator[Finding]:
    """M27: a loss was given outputs (N, 1) and targets (N,), or the other way round."""
    sides = r"\(torch\.Size\(\[([\d, ]*)\]\)\)"
    pattern = rf"target size {sides} that is different to the input size {sides}"
    for row, found in warnings_of(run, pattern):
        target, given = ([int(side) for side in re.findall(r"\d+", part)] for part in found.groups())
        if len(target) != len(given) and (target == given[:-1] or given == target[:-1]):
            longer = max(target, given, key=len)
            if longer[-1] == 1 and longer[0] > 1:
                yield told(row)
                return


def scheduler_first(run: Run) -> Iterator[Finding]:
    """L12: the scheduler's first step came before the optimizer's."""
    for row, _found in warnings_of(run, r"lr_scheduler\.step\(\)` before `optimizer\.step\(\)"):
        yield told(row, voice="question")  # a GradScaler may leave the first step out, and rightly so
        return


def softmax_without_side(run: Run) -> Iterator[Finding]:
    """M06: a softmax that is not told along which side."""
    for row, _found in warnings_of(run, r"implicit dimension choice for (log_)?softm"):
        yield told(
            row,
            Text(
                what="A softmax is not told along which side it goes.",
                why="Without dim, PyTorch takes the classes of a matrix, but the samples of a tensor with three sides.",
                do="Write dim=1, or dim=-1, in the softmax.",
            ),
            "note",
        )
        return
