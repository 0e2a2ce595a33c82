"""What the evaluations of a model were: their mode, what they gave, and what was done with it.

Shapes: N rows, C classes.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch

from firstlight.doctor.observers.learning_rows import as_classes

if TYPE_CHECKING:
    from firstlight.doctor.observers.samples import Root, Samples, Use


def evaluation_facts(samples: "Samples", roots: "Sequence[Root]", waiting: "list[Use]") -> Iterator[tuple[str, Any]]:
    """Facts `evaluations`, one entry for each model, and `metric_operations`, one for each comparison heard."""
    found = [
        one for root in roots if (one := _evaluation(root, [w for w in waiting if w.root is root], samples)) is not None
    ]
    if found:
        yield "evaluations", found
    heard = [
        {**{k: v for k, v in one.items() if k != "use"}, "places": use.places, "losses": dict(use.root.losses),
         "learned": use.root.learned, "went_backward": use.learned, "class_axis": use.root.class_axis,
         "labels": _span(use)}
        for one in samples.metrics
        if (use := one["use"]) is not None
    ]  # fmt: skip
    if heard:
        yield "metric_operations", heard


def _span(use: "Use") -> list[float] | None:
    if use.labels is None or not use.labels.numel():
        return None
    low, high = torch.aminmax(use.labels.float())
    return [float(low), float(high)]


def is_scored(use: "Use") -> bool:
    """Whether the output was compared with labels, as far as could be heard."""
    return use.scored or (use.read and use.labels is not None)


def _evaluation(root: "Root", waiting: "list[Use]", samples: "Samples") -> dict[str, Any] | None:
    uses = [use for use in (*root.evaluated, *waiting) if not use.learned]
    unique = list({use.at: use for use in uses}.values())
    if not unique:
        return None
    plain = [use for use in unique if not use.grad]
    # With gradients on, a call in training mode is an evaluation only where its whole pass taught nothing.
    passes = [
        use for use in unique
        if use.grad and use.training and root.learned and _teaches_nothing(samples, use.feed)
    ]  # fmt: skip
    looked = [use for use in plain + passes if is_scored(use) and not (use.training and use.same)]
    acting = [use for use in looked if use.training and use.acts]
    known_again = [use for use in plain if use.print is not None and use.training]
    fresh = [use for use in acting if use.rows is None or not _is_known(root, use)]
    heard = [one for one in samples.metrics if one["use"].root is root and one["kind"] == "equal"]
    # Class numbers that are changed before they are compared (a head for classes 5 to 9) are not ours to judge.
    changed = any(one.get("other") for one in heard)
    known = [] if changed else [use for use in unique if use.labels is not None and use.choice is not None]
    graph = [use for use in unique if use.grad and not use.training and use.output]
    return {
        "model": root.kind,
        "learned": root.learned,
        "losses": dict(root.losses),
        "calls": len(unique),
        "scored": len(looked),
        "acting": len(acting),
        "fresh": len(fresh),
        "acting_step": acting[min(2, len(acting) - 1)].step if acting else None,
        "acting_places": acting[0].places if acting else [],
        "acting_place": _place(acting[0]) if acting else None,
        "acting_loaded": bool(acting) and all(use.unloaded for use in acting),
        "acting_rows": sum(use.size for use in acting),
        "graph": len(graph),
        "graph_rows": sum(use.size for use in graph),
        "graph_step": graph[min(4, len(graph) - 1)].step if graph else None,
        "graph_place": _place(graph[0]) if graph else None,
        "graph_places": graph[0].places if graph else [],
        "graph_scored": sum(is_scored(use) for use in graph),
        "graph_apart": _apart(samples, graph),
        "phases": len({use.phase for use in looked}),
        "prints": max(Counter(use.print for use in known_again).values(), default=0),
        "print_phases": len({use.phase for use in known_again}),
        "last": _last(known),
        "direct": any(one.get("best") and not one.get("other") for one in heard),
        "changed": changed,
        "chosen": _chosen(unique),
        "numbers": _numbers([use for use in unique if use.labels is not None and use.matched is not None]),
        "grad_losses": sorted({use.loss[0] for use in unique if use.loss}),
    }


def _apart(samples: "Samples", graph: "list[Use]") -> int:
    """Of scored calls with a graph, those of a whole pass that taught nothing: a teacher's stand within a step."""
    phases = Counter(use.phase for use in graph)
    return sum(
        is_scored(use) and (_teaches_nothing(samples, use.feed) if use.feed >= 0 else phases[use.phase] >= 3)
        for use in graph
    )


def _chosen(uses: "list[Use]") -> dict[str, Any] | None:
    """An evaluation with weights that were put back, of samples that were evaluated again and again before."""
    before: dict[int, set[int]] = {}
    for use in uses:
        if use.print is None:
            continue
        if not use.unloaded:
            before.setdefault(use.print, set()).add(use.phase)
        elif len(before.get(use.print, ())) >= 3:
            return {"times": len(before[use.print]), "step": use.step, "places": use.places}
    return None


def _teaches_nothing(samples: "Samples", feed: int) -> bool:
    kept = samples.feeds.get(feed)
    return kept is not None and not kept["learned"]


def _is_known(root: "Root", use: "Use") -> bool:
    """Whether most of its rows are learned from at some time: then it may well serve to choose among them."""
    if use.rows is None or use.rows.device.type != "cpu":
        return False
    return sum(one in root.seen for one in use.rows.tolist()) * 2 > use.size


def _place(use: "Use") -> dict[str, Any] | None:
    if use.places:
        return use.places[0]
    return use.place.as_json() if use.place is not None else None


def _last(uses: "list[Use]") -> dict[str, Any] | None:
    """The last evaluation with labels: how much was right, and which classes were given."""
    pairs = []
    for use in uses:
        classes = as_classes(use.labels)
        if classes is not None and use.choice is not None and len(classes) == len(use.choice):
            pairs.append((use, classes, use.choice))
    if not pairs:
        return None
    phase = pairs[-1][0].phase
    late = [one for one in pairs if one[0].phase == phase]
    labels, given = torch.cat([one[1] for one in late]), torch.cat([one[2] for one in late])
    counts, chosen = Counter(labels.tolist()), Counter(given.tolist())
    most, often = counts.most_common(1)[0]
    result: dict[str, Any] = {
        "rows": len(labels), "right": int((labels == given).sum()), "majority": most, "majority_rows": often,
        "labels": {str(k): v for k, v in sorted(counts.items())[:200]},
        "given": {str(k): v for k, v in sorted(chosen.items())[:200]},
        "step": late[0][0].step, "places": late[0][0].places, "training": late[0][0].training,
    }  # fmt: skip
    found = {
        k: int((given[labels == k] == k).sum()) for k, often in counts.items() if often >= 10 and len(counts) <= 50
    }
    rarest = min(found, key=lambda k: found[k] / counts[k], default=None)
    if rarest is not None:
        result["rarest"] = {"label": rarest, "rows": counts[rarest], "found": found[rarest]}
    matched = [(use, classes) for use, classes, _given in pairs if use.matched is not None]
    matched = [one for one in matched if one[0].phase == matched[-1][0].phase]  # of the newest that was tried
    if matched:
        before = torch.cat([torch.eq(classes, use.choice) for use, classes in matched])  # type: ignore[arg-type]
        after = torch.cat([torch.eq(classes, use.matched) for use, classes in matched])  # type: ignore[arg-type]
        result["matched"] = {
            "rows": len(after), "before": float(before.float().mean()), "after": float(after.float().mean()),
        }  # fmt: skip
    size = int(max(labels.max(), given.max())) + 1
    if 2 <= size <= 50 and int(labels.min()) >= 0:
        table = torch.zeros(size, size, dtype=torch.int64)
        table.index_put_((labels, given), torch.ones(len(labels), dtype=torch.int64), accumulate=True)
        result["renamed"] = _renamed(table)
    return result


def _renamed(table: torch.Tensor) -> dict[str, Any]:
    """How many would be right if the classes had other numbers: each label takes the class that it is mostly given."""
    left, right, pairs = table.clone(), 0, {}
    for _class in range(len(table)):
        best = int(left.max())
        if best <= 0:
            break
        row, column = divmod(int(left.argmax()), len(left))
        pairs[str(row)] = column
        right += best
        left[row, :] = -1
        left[:, column] = -1
    return {"right": right, "pairs": pairs}


def _numbers(uses: "list[Use]") -> dict[str, Any] | None:
    """For outputs that are no classes: the error as it is, and with inputs that look like those of the training."""
    found = [use for use in uses if use.choice is None and use.guess is not None and use.labels is not None]
    found = [use for use in found if use.labels is not None and use.labels.numel() == use.size]
    if not found:
        return None
    labels = torch.cat([use.labels.reshape(-1).float() for use in found if use.labels is not None])
    before = torch.cat([use.guess for use in found if use.guess is not None])
    after = torch.cat([use.matched for use in found if use.matched is not None])
    return {
        "rows": len(labels), "before": float((before - labels).square().mean()),
        "after": float((after - labels).square().mean()), "variance": float(labels.var()) if len(labels) > 1 else 0.0,
    }  # fmt: skip
