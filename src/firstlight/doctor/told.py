"""What a program printed instead of its share of right answers, for the rules whose fault would give that number."""

import ast
from collections.abc import Callable, Iterator

from firstlight.doctor.code import Code
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, newest
from firstlight.locale import _
from firstlight.run import Run


def told_otherwise(run: Run, kinds: tuple[str, ...], wanted: Callable[[ast.AST], bool]) -> Iterator[Finding]:
    """A finding where a number was printed that only this fault gives, at the one line that looks like it."""
    for one in newest(run, "printed") or []:
        if one["what"] not in kinds:
            continue
        place = Place.from_json(one["place"])
        found = []
        for unit in Code.of(run).units:
            if place is None or unit.file == place.file:
                found += [unit.place(node) for node in unit.nodes if wanted(node)]
        distinct = list(dict.fromkeys(found))
        yield Finding(
            evidence=_(
                "{said} was printed. Of {rows} answers, {right} were right.",
                said=one["said"],
                rows=one["rows"],
                right=f"{one['right']:.2%}",
            ),
            step=one["step"],
            place=distinct[-1] if distinct else place,
            places=(place,) if distinct and place is not None else (),
            values={"name": one["said"]},
        )
        return
