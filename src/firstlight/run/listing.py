"""`runs()`: what was trained on this machine, as a table."""

import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any, overload

import platformdirs

from firstlight.errors import FirstlightError
from firstlight.locale import _, say
from firstlight.picture import in_columns
from firstlight.run.errors import StateNotFound, UnknownMetric
from firstlight.run.record import Run, SavedRun
from firstlight.run.store import FILE

_SHOWN = ("test/accuracy", "val/accuracy", "train/accuracy", "test/loss", "val/loss", "train/loss")


def runs_folder() -> Path:
    """Where runs are kept: the folder in `FIRSTLIGHT_RUNS`, else one in the person's data folder."""
    chosen = os.environ.get("FIRSTLIGHT_RUNS")
    return Path(chosen).expanduser() if chosen else platformdirs.user_data_path("firstlight", appauthor=False) / "runs"


wanted_next: dict[str, Path] = {}
"""By their name, the runs that the next training of that name goes on with: see `resume`."""


def checkpoints_in(folder: Path) -> list[str]:
    """The names of the checkpoints in a run's folder, the newest first."""
    stems = (path.stem for path in (folder / "checkpoints").glob("step-*.safetensors"))
    return sorted((one for one in stems if re.fullmatch(r"step-\d+", one)), key=lambda one: int(one[5:]), reverse=True)


def resume(folder: str | Path) -> None:
    """Let the next training go on with a run that was interrupted, without a change to its code.

    The next `watch` or `fit` of the run's name behaves as with `resume=` and this folder. That is what the lab offers
    where a kernel has died.

    Args:
        folder: The run's folder, as `fl.runs()` lists it.

    Raises:
        RecordNotFound: There is no run in the folder.
        StateNotFound: It has no checkpoint.
    """
    folder = Path(folder)
    run = Run.open(folder)
    found = checkpoints_in(folder)
    if not found:
        raise StateNotFound(run=run.name, name="step-...", known=_("none"))
    wanted_next[run.name] = folder
    going = {"name": run.name, "step": f"{int(found[0][5:]):,}"}
    say(_("The next training called {name} goes on from step {step}. Run the cells from the top.", **going))


def runs(folder: str | Path | None = None) -> "RunList":
    """All runs in a folder, the newest first.

    Args:
        folder: Where to look, by default `runs_folder()`.

    Returns:
        A list whose text and HTML are a table. A record that cannot be read is listed as `damaged`.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with Run.start("first", folder=folder) as run:
        ...         run.log({"test/accuracy": 0.5}, step=0)
        ...     found = runs(folder)
        >>> found[0].name, found[0].status, found[0].best("test/accuracy")
        ('first', 'finished', 0.5)
    """
    parent = runs_folder() if folder is None else Path(folder)
    found = [summary for path in parent.glob(f"*/{FILE}") if (summary := _summarise(path.parent)) is not None]
    return RunList(sorted(found, key=lambda summary: (summary.started, str(summary.folder)), reverse=True))


@dataclass(frozen=True)
class Summary:
    """One run in a list.

    Attributes:
        name: What the person called it.
        status: As in `Run.status`, but `finished` for a run that rests where its plan is reached; or `damaged` when
            the record cannot be read.
        started: Seconds since 1970.
        duration: Seconds, without those in which the loop was left.
        folder: Where the record lies.
        metrics: For each metric its `count`, `step`, `last`, `low` and `high`.
        problem: What is wrong with a damaged record, else None.
    """

    name: str
    status: str
    started: float
    duration: float
    folder: Path
    metrics: dict[str, dict[str, Any]]
    problem: str | None = None

    def open(self) -> Run:
        """The whole record."""
        return Run.open(self.folder)

    def last(self, metric: str) -> float | None:
        """The newest value of a metric."""
        return self.metrics[metric]["last"] if metric in self.metrics else None

    def best(self, metric: str) -> float | None:
        """The highest value, or the lowest where less is better, as for a loss."""
        return self.metrics[metric]["low" if less_is_better(metric) else "high"] if metric in self.metrics else None

    @property
    def steps(self) -> int:
        """Number of steps that have a metric."""
        return max((int(entry["step"]) + 1 for entry in self.metrics.values()), default=0)


@dataclass(frozen=True)
class Table:
    """A table that a terminal and a notebook can show."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __repr__(self) -> str:
        # A name from somebody else's record may hold what a terminal takes for a command.
        return in_columns([[_plain(cell) for cell in row] for row in (self.header, *self.rows)])

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in self.header)
        body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


class RunList(Sequence[Summary]):
    """Runs in an order. Its text and its HTML are a table."""

    def __init__(self, summaries: Sequence[Summary]) -> None:
        self._summaries = list(summaries)

    @overload
    def __getitem__(self, index: int) -> Summary: ...
    @overload
    def __getitem__(self, index: slice) -> "RunList": ...
    def __getitem__(self, index: int | slice) -> "Summary | RunList":
        return RunList(self._summaries[index]) if isinstance(index, slice) else self._summaries[index]

    def __len__(self) -> int:
        return len(self._summaries)

    def __iter__(self) -> Iterator[Summary]:
        return iter(self._summaries)

    def named(self, name: str) -> "RunList":
        """The runs with this name."""
        return RunList([summary for summary in self._summaries if summary.name == name])

    def sort(self, by: str = "started", *, ascending: bool | None = None) -> "RunList":
        """The same runs in another order, runs without the value last.

        Args:
            by: `started`, `name`, `status`, `duration`, `steps`, or a metric, whose best run comes first.
            ascending: Smallest first; by default newest, longest and best come first, names from a to z.

        Raises:
            UnknownMetric: When no run has this metric.
        """
        key: Callable[[Summary], Any]
        if by in ("started", "name", "status", "duration", "steps"):
            rising = by in ("name", "status")

            def key(summary: Summary) -> Any:
                return getattr(summary, by)

        else:
            self._check(by)
            rising = less_is_better(by)

            def key(summary: Summary) -> Any:
                return summary.best(by)

        if ascending is not None:
            rising = ascending
        known = [summary for summary in self._summaries if key(summary) is not None]
        unknown = [summary for summary in self._summaries if key(summary) is None]
        return RunList(sorted(known, key=key, reverse=not rising) + unknown)

    def compare(self, *names: str) -> "Comparison":
        """The metrics of several runs side by side.

        Args:
            names: Metrics to show; by default all that any of the runs has.

        Raises:
            UnknownMetric: When no run has one of them.
        """
        for name in names:
            self._check(name)
        shown = names or tuple(dict.fromkeys(name for summary in self._summaries for name in summary.metrics))
        return Comparison(tuple(self._summaries), tuple(shown))

    def table(self) -> Table:
        """Name, status, when, duration, steps and the metrics that matter most."""
        shown = [name for name in _SHOWN if any(name in summary.metrics for summary in self._summaries)][:3]
        header = (_("run"), _("status"), _("started"), _("duration"), _("steps"), *(best_title(name) for name in shown))
        rows = [
            (
                summary.name,
                status_word(summary.status),
                time.strftime("%Y-%m-%d %H:%M", time.localtime(summary.started)),
                duration_text(summary.duration),
                str(summary.steps),
                *(_number(summary.best(name)) for name in shown),
            )
            for summary in self._summaries
        ]
        return Table(header, tuple(rows))

    def __repr__(self) -> str:
        return repr(self.table()) if self._summaries else _("No runs yet.")

    def _repr_html_(self) -> str:
        return self.table()._repr_html_() if self._summaries else f"<p>{escape(_('No runs yet.'))}</p>"

    def _check(self, metric: str) -> None:
        known = dict.fromkeys(name for summary in self._summaries for name in summary.metrics)
        if metric not in known:
            raise UnknownMetric(metric=metric, known=", ".join(known) or _("none"))


@dataclass(frozen=True)
class Comparison:
    """Metrics of several runs: one row per metric, one column per run, best and last value."""

    summaries: tuple[Summary, ...]
    names: tuple[str, ...]

    def best(self, metric: str) -> Summary | None:
        """The run with the best value of a metric."""
        having = [summary for summary in self.summaries if summary.best(metric) is not None]
        choose = min if less_is_better(metric) else max
        return choose(having, key=lambda summary: summary.best(metric) or 0.0, default=None)

    def table(self) -> Table:
        """The best run of each metric is marked with a star."""
        rows = []
        for name in self.names:
            winner = self.best(name)
            cells = []
            for summary in self.summaries:
                text = _number(summary.best(name))
                if summary.best(name) is not None:
                    text = _("{best} (last {last})", best=text, last=_number(summary.last(name)))
                cells.append(text + (" *" if summary is winner and len(self.summaries) > 1 else ""))
            rows.append((name, *cells))
        return Table((_("metric"), *(summary.name for summary in self.summaries)), tuple(rows))

    def __repr__(self) -> str:
        return repr(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def less_is_better(metric: str) -> bool:
    """Whether a smaller value of this metric is the better one."""
    return any(word in metric for word in ("loss", "error", "perplexity", "step_s", "bytes"))


def best_title(metric: str) -> str:
    """How a column with a metric's best value is headed."""
    return _("best {metric}", metric=metric)


def status_word(status: str) -> str:
    """A status in the learner's language."""
    return {
        "running": _("running"),
        "resting": _("done for now"),
        "finished": _("finished"),
        "stopped": _("stopped"),
        "failed": _("failed"),
        "died": _("died"),
        "damaged": _("damaged"),
    }.get(status, status)


def duration_text(seconds: float) -> str:
    """Seconds in words short enough for a table.

    Example:
        >>> duration_text(3.21), duration_text(75), duration_text(7384)
        ('3.2 s', '1 min 15 s', '2 h 3 min')
    """
    if seconds < 59.95:
        return _("{seconds} s", seconds=f"{seconds:.1f}")
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return _("{minutes} min {seconds} s", minutes=minutes, seconds=rest)
    return _("{hours} h {minutes} min", hours=minutes // 60, minutes=minutes % 60)


def _summarise(folder: Path) -> Summary | None:
    """One run in the list; None when somebody deletes it at this moment."""
    try:
        run = SavedRun(folder)
        status, plan = run.status, run.plan.steps
        summary = Summary(run.name, status, run.started, run.duration, folder, run.summary())
    except FirstlightError as error:
        try:
            written = (folder / FILE).stat().st_mtime
        except FileNotFoundError:  # not damaged, but gone
            return None
        return Summary(folder.name, "damaged", written, 0.0, folder, {}, str(error))
    is_complete = status == "resting" and plan is not None and summary.steps >= plan
    return replace(summary, status="finished") if is_complete else summary


def _plain(text: str) -> str:
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
