"""D01 labels-apart-from-inputs: inputs and labels were shuffled or sorted apart from each other."""

import ast
import itertools
from collections.abc import Iterator
from typing import Any

from firstlight.doctor.code import Code, callee
from firstlight.doctor.editing import dotted
from firstlight.doctor.places import Place
from firstlight.doctor.rule import Finding, Rule, newest
from firstlight.doctor.rule_programs import CLASSES
from firstlight.doctor.source_lines import is_labels
from firstlight.locale import Text, _
from firstlight.run import Run

_INFORMATION = 0.05  # the pilot's twins: shuffled labels stay within 0.03 of chance, all learnable tasks were far above
# Neighbours of a table with weak columns know 0.1 to 0.2: with more noise than that nothing is shown by finding none.
_POWER = 0.15
_LAYS_OUT = ("repeat_interleave", "repeat", "tile", "flip", "flipud", "roll")
_STILL = 1e-5  # share of a weight's size that the largest step changes: where learning has not begun


def find(run: Run) -> Iterator[Finding]:
    """A model that stays at chance, and neighbours that know nothing of each other's labels."""
    moved = (newest(run, "progress") or {}).get("largest_ratio")
    if moved is not None and moved < _STILL:
        return  # that is L15: a model that stands still says nothing of its labels
    last = {one["model"]: one["last"] for one in newest(run, "evaluations") or []}
    for one in (newest(run, "trials") or {}).get("neighbours", []):
        known = (one["alike"] - one["chance"]) / (1 - one["chance"])
        noise = 2.5 * (one["chance"] / (1 - one["chance"]) / one["rows"]) ** 0.5  # as a share of what is not chance
        if noise > _POWER or one["rows"] < 200 or one["majority"] > 0.8 or known >= max(_INFORMATION, noise):
            continue
        tested = last.get(one["model"])
        if tested is not None and tested["rows"] >= 50:
            # Three standard deviations of guessing above the most frequent class; and a quarter of what is left, for
            # samples that lie in groups get one answer together, and some of the groups are right by chance.
            share = tested["majority_rows"] / tested["rows"]
            noise = max(3 * (share / tested["rows"]) ** 0.5, 0.25 * (1 - share))
            if tested["right"] / tested["rows"] > share + noise:
                continue
        code = Code.of(run)
        place = _side_by_side(newest(run, "feeds") or []) or _shuffle(code) or _laid_out(code)
        yield Finding(
            evidence=_(
                "Of {rows} samples, {alike} have the label of the sample most like them; chance alone gives {chance}.",
                rows=one["rows"],
                alike=f"{one['alike']:.1%}",
                chance=f"{one['chance']:.1%}",
            ),
            step=one["step"],
            place=place or Place.from_json(one["place"]),
            voice=None if place is not None else "question",
        )


def _side_by_side(feeds: list[dict[str, Any]]) -> Place | None:
    """Two loaders that each shuffle for themselves, gone over at once, batch by batch."""
    for one, other in itertools.pairwise(feeds[:40]):
        both = (one, other)
        if one["loader"] == other["loader"] or not all(
            f["dataset"] and f["made"] and not f["sequential"] for f in both
        ):
            continue
        # The second began before the first one taught anything, and both went on for the same number of batches.
        together = one["at"] == other["at"] and one["batches"] == other["batches"] > 2 and one["rows"] == other["rows"]
        if together and one["place"] == other["place"] and "labels" in one and not any(f["labels"] for f in both):
            return Place.from_json(one["made"])
    return None


def _shuffle(code: Code) -> Place | None:
    """The line that puts the labels, or else the inputs alone, into another order."""
    apart = _two_loaders(code)
    if apart is not None:
        return apart
    found: list[tuple[bool, Place]] = []
    for unit in code.units:
        drawn = {
            target.id
            for node in unit.nodes
            if isinstance(node, ast.Assign) and _orders(node.value)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in unit.nodes:
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and dotted(_owner(node.targets[0])) is not None:
                indexes = [n for n in ast.walk(node.value) if isinstance(n, ast.Subscript)]
                uses = {n.id for one in indexes for n in ast.walk(one.slice) if isinstance(n, ast.Name)}
                labels = is_labels(ast.unparse(node.targets[0]))
                whole = callee(node.value) in ("sample", "sort_values") if isinstance(node.value, ast.Call) else False
                if whole and not labels:
                    continue  # a table, labels and all
                if (indexes and any(_orders(one.slice) for one in indexes)) or uses & drawn or _sorts(node.value):
                    found.append((labels, unit.place(node)))
            elif (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Call)
                and callee(node.value) in ("shuffle", "sort")
            ):
                found.append((any(is_labels(ast.unparse(one)) for one in node.value.args), unit.place(node)))
    for_labels = [place for labels, place in found if labels]
    return for_labels[-1] if for_labels else found[-1][1] if found else None


def _owner(node: ast.expr) -> ast.expr:
    """The name or attribute that is written to: of `table["x"]`, `table`."""
    return node.value if isinstance(node, ast.Subscript) else node


def _laid_out(code: Code) -> Place | None:
    """The line that repeats, turns or rolls labels in place of themselves, by a function that no other line uses."""
    found = [
        (place, node, callee(node.value))
        for place, node, _unit in code.walk(ast.Assign)
        if isinstance(node.value, ast.Call) and callee(node.value) in _LAYS_OUT
    ]
    for place, node, name in found:
        apart = sum(other == name for _place, _node, other in found) == 1
        apart = apart and dotted(node.value.func) == f"{ast.unparse(node.targets[0])}.{name}"
        if apart and is_labels(ast.unparse(node.targets[0])):
            return place
    return None


def _two_loaders(code: Code) -> Place | None:
    """Two loaders that each shuffle for themselves, gone over side by side."""
    shuffled: set[str] = set()
    for _place, node, _unit in code.walk(ast.Assign):
        if _shuffles(node.value):
            shuffled |= {ast.unparse(target) for target in node.targets}
    for place, call, _unit in code.calls("zip"):
        if sum(_shuffles(one) or ast.unparse(one) in shuffled for one in call.args) > 1:
            return place
    return None


def _shuffles(node: ast.AST) -> bool:
    if not isinstance(node, ast.Call) or callee(node) != "DataLoader":
        return False
    return any(one.arg == "shuffle" and getattr(one.value, "value", False) is True for one in node.keywords)


def _orders(node: ast.AST) -> bool:
    names = ("randperm", "permutation", "argsort", "shuffle")
    return any(isinstance(one, ast.Call) and callee(one) in names for one in ast.walk(node))


def _sorts(node: ast.AST) -> bool:
    names = ("sorted", "sort", "sort_values", "permutation", "sample", "shuffled")
    return isinstance(node, ast.Call) and callee(node) in names


BROKEN = CLASSES.replace(
    "train_x, train_y,", "x = x[torch.randperm(600)]\ny = y[torch.randperm(600)]\ntrain_x, train_y,", 1
)

rule = Rule(
    code="D01",
    name="labels-apart-from-inputs",
    voice="alarm",
    stage="data",
    question="Do the labels say anything about their inputs?",
    needs=("trials",),
    find=find,
    text=Text(
        what="Your labels carry no information that I can find about your inputs.",
        why="When inputs and labels are put into order apart from each other, an input gets another one's label.",
        do="Draw one order and index both with it: order = torch.randperm(n); x, y = x[order], y[order].",
    ),
    broken=BROKEN,
    fixed=BROKEN.replace(
        "x = x[torch.randperm(600)]\ny = y[torch.randperm(600)]",
        "order = torch.randperm(600)\nx, y = x[order], y[order]",
    ),
    lookalikes={
        "parity of bits, which neighbours do not know, learned": CLASSES.replace(
            "y = torch.arange(4).repeat(150)", "y = torch.randint(2, (600,))"
        )
        .replace("centres[y] + torch.randn(600, 8)", "torch.randn(600, 8).sign()")
        .replace("train_x, train_y,", "y = (x[:, 0] * x[:, 1] > 0).long()\ntrain_x, train_y,", 1),
    },
    explains=("E11", "E12", "D02", "D17", "L14", "L15"),
)
