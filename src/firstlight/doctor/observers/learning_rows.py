"""What the rows and labels that were learned from say: twice the same, in order, constant, what the evaluated ones are.

Shapes: N rows.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from firstlight.doctor.observers.fingerprint import arise_by_chance
from firstlight.doctor.observers.rescaled import rescaled_rows

if TYPE_CHECKING:
    from firstlight.doctor.observers.samples import Root, Samples, Use

_CLASSES = 200  # more different whole numbers are values, not classes


def row_facts(samples: "Samples", roots: "Sequence[Root]") -> Iterator[tuple[str, Any]]:
    """Facts `rows`, `labels`, `inputs` and `outputs`: a list each, with one entry for each model that learned."""
    learned = [root for root in roots if root.learned and not root.inner]
    waiting = [use for use in samples._pending if not use.learned]
    rows = [one for root in learned if (one := _rows(samples, root, waiting)) is not None]
    if rows:
        yield "rows", rows
    labels = [one for root in learned if (one := _labels(root, waiting)) is not None]
    if labels:
        yield "labels", labels
    inputs = [_inputs(root) for root in roots if not root.inner]
    if inputs:
        yield "inputs", inputs
    found = {
        "lost_shape": [
            {**{k: v for k, v in root.lost_shape.items() if k != "use"}, **_of(root.lost_shape["use"])}
            for root in roots
            if root.lost_shape is not None
        ],
        "cut_loss": samples.cut_loss,
        "lost": {**{k: v for k, v in samples.lost.items() if k != "use"}, "left_out": samples.left_out}
        if samples.lost is not None
        else None,
    }
    if any(found.values()):
        yield "outputs", found


def _of(use: "Use") -> dict[str, Any]:
    return {
        "learned": use.learned, "scored": use.scored, "places": use.places,
        "place": use.place and use.place.as_json(), "training": use.training,
    }  # fmt: skip


def _rows(samples: "Samples", root: "Root", waiting: "list[Use]") -> dict[str, Any] | None:
    """How many of the evaluated rows had been learned from."""
    trained = [use for use in root.uses if use.rows is not None]
    evaluated = [use for use in (*root.evaluated, *(w for w in waiting if w.root is root)) if use.rows is not None]
    if not trained:
        return None
    if (turns := len({use.phase for use in evaluated})) > 20 and turns > 0.3 * root.learned:
        evaluated = []  # asked before nearly every step: to choose what to learn from, or to act
    numbers = torch.cat([use.rows.cpu() for use in trained if use.rows is not None])
    times = torch.cat([torch.full((use.size,), use.at) for use in trained])
    distinct, places, often = torch.unique(numbers, return_inverse=True, return_counts=True)
    usual = often > max(0.1 * len(numbers), 2)  # a blank picture, or no change at all: of no sample's own
    if int(usual.sum()) > 2 or len(distinct) < 50:
        usual[:] = False
    first = torch.full((len(distinct),), 2**31).scatter_reduce(0, places, times, "amin")
    begun = trained[0].at
    whole: list[tuple[Use, int, int]] = []
    part: list[tuple[Use, int, int]] = []
    for use in evaluated:
        if use.at < begun or use.rows is None:
            continue
        mine = use.rows.cpu()
        at = torch.searchsorted(distinct, mine).clamp(max=len(distinct) - 1)
        known = distinct[at] == mine
        total = int(known.sum())
        if total <= 0.9 * use.size:
            known &= ~usual[at]
            total = int(known.sum())
        if total <= 0.9 * use.size and len(torch.unique(mine[known])) > 0.9 * len(distinct):
            continue  # all samples at once, those of the training among them: told apart afterwards
        before = int((known & (first[at] < use.at)).sum())
        (whole if total > 0.9 * use.size else part).append((use, before, total))
    of = 0
    if part and not all_were_read(root):
        # Of the training samples themselves, too, only a part would be known: what is not may be those or others.
        part = []
        inferred = _is_the_training(samples, root, distinct, evaluated)
        whole = [
            (use, use.size, use.size) for use in evaluated if use.at >= begun and use.rows is not None and inferred
        ]
        of = len(distinct) if inferred else 0
    words = torch.cat(root.words)[:1024] if root.words and len({w.shape[1] for w in root.words}) == 1 else None
    rare = [use for use, before, _total in part if before]
    labelled = sum(use.labels is not None for use in trained[:200])
    return {
        "model": root.kind,
        "learned": root.learned,
        "rows": len(numbers),
        "distinct": len(distinct),
        "by_chance": arise_by_chance(words, len(distinct)) if words is not None else True,
        **_twins(trained),
        "scaled_anew": _scaled_anew(root) if samples.witness.session.get("cell") else [],
        "labelled": labelled / max(len(trained[:200]), 1),
        "whole": {
            "calls": len(whole), "rows": sum(use.size for use, _b, _t in whole),
            "before": sum(before for _u, before, _t in whole), "scored": sum(_is_scored(use) for use, _b, _t in whole),
            "step": whole[0][0].step if whole else None, "places": _many_places([use for use, _b, _t in whole]),
            "made": _made(samples, [use for use, _b, _t in whole]), "of": of,
        },
        "part": {
            "calls": len(part), "rows": sum(use.size for use, _b, _t in part),
            "before": sum(before for _u, before, _t in part), "scored": sum(_is_scored(use) for use, _b, _t in part),
            "step": rare[0].step if rare else None, "places": _many_places(rare),
        },
        "place": trained[0].place and trained[0].place.as_json(),
    }  # fmt: skip


def _scaled_anew(root: "Root") -> list[dict[str, int]]:
    """Of a table's newest evaluations, how many rows are training rows that were scaled otherwise."""
    found = []
    for key, held in root.tested.items():
        if root.rows and len({rows.shape[1] for rows in (*root.rows, *held)}) == 1:
            rows = sum(map(len, held))
            if root.known_again.get(key, (0, 0))[0] != rows:  # asked after each cell
                root.known_again[key] = rows, rescaled_rows(torch.cat(root.rows).float(), torch.cat(held))
            of = sum(map(len, root.rows))
            found.append({"cell": key[0], "rows": rows, "before": root.known_again[key][1], "of": of})
    return found


def _is_the_training(samples: "Samples", root: "Root", distinct: Tensor, evaluated: "list[Use]") -> bool:
    """Whether an evaluation went over the training samples, of which only a part was read, and over nothing else.

    All rows that were read are among the evaluated ones, and those are as many as a pass of the training has: further
    samples, such as a test set that is evaluated too, would make them more.
    """
    feeds = {use.feed for use in root.uses}
    passes = [samples.feeds[feed] for feed in feeds if feed in samples.feeds and samples.feeds[feed]["ended"]]
    if not passes or len({(one["loader"], one["rows"]) for one in passes}) != 1 or len(distinct) < 200:
        return False
    first = [use.rows.cpu() for use in root.uses if use.rows is not None and use.feed == root.uses[0].feed]
    if not first or len(torch.unique(torch.cat(first))) < sum(map(len, first)):
        return False  # rows come again, so how many a pass has does not say how many there are
    calls = _calls_of_a_step(root.uses[:64])  # later ones are heard now and then
    shown = [use.rows.cpu() for use in evaluated if use.rows is not None]
    if not shown:
        return False
    rows = torch.unique(torch.cat(shown))
    known = int(torch.isin(distinct, rows).sum())
    dropped = passes[0]["batch_size"] or 0 if passes[0]["drop_last"] else 0
    return known == len(distinct) and len(rows) <= calls * (passes[0]["rows"] + dropped)


def all_were_read(root: "Root") -> bool:
    """Whether, in the first epoch, the rows of every step were read, and not of some of them."""
    epoch = [use for use in root.uses if use.rows is not None and use.first]
    if not root.over and any(use.rows is None for use in root.uses):
        return False  # it was not read to its end
    # A model may be called several times in a step, with the parts of one batch.
    return not epoch or epoch[-1].step - epoch[0].step <= 1.1 * len(epoch) / _calls_of_a_step(epoch) + 2


def _calls_of_a_step(uses: "Sequence[Use]") -> int:
    """How often the model was called in most steps."""
    often = Counter(Counter(use.step for use in uses).values())
    return often.most_common(1)[0][0] if often else 1


def _twins(trained: "list[Use]") -> dict[str, Any]:
    """How many rows of the first epoch have an equal one among them, and whether those look like copies of some rows.

    Where few different samples exist (small shapes, short sentences), equal ones come by themselves, in each class, and
    some three times and more, as chance has it. Copies are otherwise: each twice and none three times, or in one class.
    """
    epoch = [use for use in trained if use.first] or trained[:1]
    numbers = torch.cat([use.rows.cpu() for use in epoch if use.rows is not None])
    _distinct, inverse, counts = torch.unique(numbers, return_inverse=True, return_counts=True)
    times = counts[inverse]
    within, thrice = float((times > 1).float().mean()), float((times > 2).float().mean())
    rate = -math.log(max(1 - within, 1e-6))
    expected = 1 - math.exp(-rate) * (1 + rate)
    copied = expected * len(numbers) >= 10 and thrice < 0.2 * expected
    classes = [as_classes(use.labels) for use in epoch]
    known = [one for one in classes if one is not None]
    if len(known) == len(epoch) and sum(map(len, known)) == len(times) and within > 0.05:
        labels = torch.cat(known)
        shares = [(times[labels == k] > 1).float().mean() for k in labels.unique() if int((labels == k).sum()) >= 30]  # type: ignore[no-untyped-call]
        copied = copied or any(float(share) < 0.02 for share in shares)
    return {"within": within, "copied": bool(copied)}


def _made(samples: "Samples", uses: "Sequence[Use]") -> dict[str, Any] | None:
    """The line that made the loader of some calls, where it is one."""
    made = {str(feed["made"]): feed["made"] for use in uses if (feed := samples.feeds.get(use.feed)) is not None}
    return next(iter(made.values())) if len(made) == 1 else None


def _is_scored(use: "Use") -> bool:
    return use.scored or use.read


def _many_places(uses: "Sequence[Use]") -> list[list[dict[str, Any]]]:
    found: dict[Any, list[dict[str, Any]]] = {}
    for use in uses:
        if use.places:
            found.setdefault(tuple((p["file"], p["line"]) for p in use.places), list(use.places))
    return list(found.values())[:4]


def as_classes(labels: Tensor | None) -> Tensor | None:
    """Class numbers (N,), where labels are such: whole numbers, one for each row, or one-hot."""
    if labels is None or not labels.numel():
        return None
    if labels.shape[1] == 1:
        column = labels[:, 0]
        if column.is_floating_point() and not bool((column == column.round()).all()):
            return None
        return column.long()
    if labels.shape[1] <= _CLASSES and bool(((labels == 0) | (labels == 1)).all()) and bool((labels.sum(1) == 1).all()):
        return labels.argmax(1)
    return None


def counted(uses: "Sequence[Use]") -> Counter[int]:
    """How often each class comes; empty where labels are no classes."""
    counts: Counter[int] = Counter()
    for use in uses:
        classes = as_classes(use.labels)
        if classes is None:
            if use.labels is not None:
                return Counter()
            continue
        counts.update(classes.tolist())
        if len(counts) > _CLASSES:
            return Counter()
    return counts


def _labels(root: "Root", waiting: "list[Use]") -> dict[str, Any] | None:
    """Classes as they came in the first epoch, and those of the evaluations."""
    epoch = [use for use in root.uses if use.first] or root.uses[:1]
    train, later = counted(epoch), counted(root.uses)
    if not train:
        return None
    evaluated = [use for use in root.evaluated if _is_scored(use) and use.labels is not None]
    evaluation = counted(evaluated)
    return {
        "model": root.kind,
        "train": {str(k): v for k, v in sorted(train.items())},
        "later": sorted(str(k) for k in later),
        "evaluation": {str(k): v for k, v in sorted(evaluation.items())},
        "evaluation_place": evaluated[0].places if evaluated else [],
        "evaluation_step": evaluated[0].step if evaluated else None,
        "epoch_whole": root.over or bool(root.uses and root.learned > len(epoch)),
        "width": max((use.width for use in epoch), default=0),
        "order": _order(_in_order(root, epoch, waiting), train),
        "losses": dict(root.losses),
        "step": epoch[-1].step,
        "place": epoch[0].place and epoch[0].place.as_json(),
        "feed": epoch[0].feed,
    }


def _in_order(root: "Root", epoch: "list[Use]", waiting: "list[Use]") -> "list[Use]":
    """The batches of the first epoch; with those of the same pass that were not learned from, where few were."""
    feed = epoch[0].feed
    if len(epoch) > 4 or feed < 0:
        return epoch
    others = [use for use in (*root.evaluated, *waiting) if use.root is root and use.feed == feed]
    found = {use.at: use for use in (*epoch, *others) if use.grad and use.training and use.feed == feed}
    return [found[at] for at in sorted(found)]


def _order(epoch: "list[Use]", train: Counter[int]) -> dict[str, Any] | None:
    """How the classes follow each other in the first epoch, beside what chance would give."""
    batches = [(use, classes) for use in epoch if (classes := as_classes(use.labels)) is not None and use.size >= 8]
    if len(batches) < 4:
        return None
    train = counted([use for use, _classes in batches]) or train
    total = sum(train.values())
    alike = sum((count / total) ** 2 for count in train.values())
    row = torch.cat([classes for _use, classes in batches])
    changes = int((row[1:] != row[:-1]).sum())
    few, most = 0, 2 if len(train) > 2 else 1
    step = None
    seen: set[int] = set()
    blocks = 0
    last: set[int] = set()
    for number, (use, classes) in enumerate(batches):
        here = set(classes.tolist())
        few += len(here) <= most
        blocks += len(here - last)
        last = here
        seen |= here
        if step is None and number >= 3 and len(seen) > most and few > 0.6 * (number + 1):
            step = use.step
    return {
        "batches": len(batches), "few": few, "most": most, "classes": len(train), "changes": changes,
        "expected": (len(row) - 1) * (1 - alike), "rows": len(row), "step": step, "blocks": blocks,
        "size": batches[0][0].size, "feed": batches[0][0].feed,
        "place": batches[0][0].place and batches[0][0].place.as_json(), "width": max(u.width for u, _c in batches),
    }  # fmt: skip


def _inputs(root: "Root") -> dict[str, Any]:
    """Values of the inputs, and whether they are ever different."""
    uses = [use for use in root.uses if use.rows is not None and use.rows.device.type == "cpu"][:512]
    several = [use for use in uses if use.size > 1 and use.rows is not None]
    same = [use for use in several if use.rows is not None and bool((use.rows == use.rows[0]).all())]
    prints = Counter(use.print for use in uses)
    most = prints.most_common(1)[0] if prints else (None, 0)
    repeated = [use for use in uses if use.print == most[0]]
    train = [use.values for use in root.uses if use.values is not None][:24]
    evaluated = [use for use in root.evaluated if use.values is not None and not use.learned][:24]
    labels = [use for use in same[:64] if use.labels is not None and bool((use.labels != use.labels[0]).any())]
    missing = next((use for use in (*root.uses, *root.evaluated) if use.missing is not None), None)
    columns = [use.columns for use in root.uses if use.columns is not None][:24]
    spread = None
    if columns and len({one.shape for one in columns}) == 1:
        spreads = torch.stack(columns)[:, 1].mean(0)
        spreads = spreads[torch.isfinite(spreads) & (spreads > 0)]
        if len(spreads) > 1:
            spread = float(spreads.max() / spreads.min())
    scores = root.scores
    values = [value for _at, value in root.values]
    return {
        "model": root.kind,
        "learned": root.learned,
        "kinds": (root.front or root).input_kinds,
        "shape": root.uses[0].shape if root.uses else [],
        "place": root.uses[0].place and root.uses[0].place.as_json() if root.uses else None,
        "calls": len(uses),
        "several": len(several),
        "same": len(same),
        "same_labels_differ": len(labels),
        "same_value": bool(same) and all(u.values["low"] == u.values["high"] for u in same[:24] if u.values),
        "same_step": same[2].step if len(same) > 2 else None,
        "same_across": len({int(use.rows[0]) for use in same if use.rows is not None}),
        "print_times": most[1],
        "print_again": sum(times > 1 for times in prints.values()),
        "print_step": repeated[19].step if len(repeated) > 19 else None,
        "print_feed": repeated[0].feed if repeated else -1,
        "print_feeds": len({use.feed for use in repeated}),
        "print_part": bool(repeated) and any(use.part for use in repeated),
        "print_size": repeated[0].size if repeated else 0,
        "train": train,
        "first": (root.front or root).first or (root.front or root).met,
        "evaluation": [{**(use.values or {}), "size": use.size, "scored": _is_scored(use), "step": use.step,
                        "places": use.places, "feed": use.feed} for use in evaluated],
        "column_spread": spread,
        "columns_off": _columns_off(root),
        "missing": {**missing.missing, **_of(missing)} if missing is not None and missing.missing else None,
        "start": root.start,
        "losses": dict(root.losses),
        "loss": [values[0], sum(values[-3:]) / len(values[-3:])] if values else None,
        "accuracy": _latest(scores),
        "again": root.again,
        "target_width": root.uses[0].target_width if root.uses else 0,
        "targets": _targets(root),
        "output": root.uses[0].output if root.uses else [],
    }  # fmt: skip


def _columns_off(root: "Root") -> dict[str, Any] | None:
    """Of a table whose columns all have mean 0 and spread 1 in training: how many have quite others when evaluated.

    None where the training's are not like that, and where some evaluation is like the training.
    """
    train = [use.columns for use in root.uses if use.columns is not None][:24]
    uses = [use for use in root.evaluated if use.columns is not None and not use.learned and use.size >= 16]
    later = [use.columns for use in uses if use.columns is not None]
    if len(train) < 3 or not later or len({one.shape for one in (*train, *later)}) != 1:
        return None
    mean, spread = torch.stack(train).mean(0)
    if len(mean) < 2 or not bool(((mean.abs() < 0.25) & ((spread - 1).abs() < 0.25) | (spread == 0)).all()):
        return None
    shown = torch.stack(later)
    off = (shown[:, 0].abs() > 3) | (shown[:, 1] > 4) | (shown[:, 1] < 0.25)
    off &= spread > 0
    if not bool((off.sum(1) >= 2).all()) or not bool(torch.isfinite(shown).all()):
        return None
    middle, width = shown.mean(0)
    widths = width[off.all(0)]
    return {
        "off": int(off.all(0).sum()), "columns": len(mean), "low": float(middle.min()), "high": float(middle.max()),
        "uneven": bool(len(widths) > 1 and widths.max() > 2 * widths.min().clamp(min=1e-9)),
        "step": uses[0].step, "places": uses[0].places, "feed": uses[0].feed,
    }  # fmt: skip


def _latest(scores: list[tuple[int, float, int]]) -> dict[str, Any] | None:
    """The accuracy in the last batches that were looked at."""
    late = scores[-max(3, len(scores) // 4) :]
    rows = sum(count for _at, _right, count in late)
    if not rows:
        return None
    return {"value": sum(right * count for _at, right, count in late) / rows, "rows": rows, "batches": len(late)}


def _targets(root: "Root") -> dict[str, Any] | None:
    """How many different values there are among inputs and targets of the rows that were kept."""
    if not root.rows or not root.labels or len({rows.shape[1] for rows in root.rows}) != 1:
        return None
    rows, labels = torch.cat(root.rows), torch.cat([one.reshape(len(one), -1)[:, :1] for one in root.labels])
    whole = bool((rows == rows.round()).all()) if rows.is_floating_point() else True
    return {
        "rows": len(rows), "width": rows.shape[1], "whole": whole, "input_values": len(torch.unique(rows)),
        "values": len(torch.unique(labels)), "variance": float(labels.float().var()) if len(labels) > 1 else 0.0,
        "floats": labels.is_floating_point(),
    }  # fmt: skip
