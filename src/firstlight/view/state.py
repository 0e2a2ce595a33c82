"""What a view shows, as plain JSON with its text already in the learner's language.

Every view (the widget, plain HTML, the picture, the terminal) is drawn from this one state, so they say the same.
"""

import math
import time
from collections import deque
from typing import Any

from firstlight.locale import _, language
from firstlight.run import Run
from firstlight.view import panels, words
from firstlight.view.looks import Looks
from firstlight.view.series import Series, smooth

SPLITS = ("train", "val", "test")  # the order in which they are drawn and named
MAX_CHARTS = 4
LOOKED_EVERY_S = 2.0


class Board:
    """The newest state of one run, gathered from its record a few points at a time.

    Call `gather` from one thread; `state` and `curves` give what it gathered.

    Example:
        >>> run = Run()
        >>> run.log({"train/loss": 0.5}, step=0)
        >>> board = Board(run)
        >>> board.gather()
        True
        >>> board.state()["charts"][0]["curves"][0]["key"]
        'train/loss'
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self.series: dict[str, Series] = {}
        self.step = -1
        self.error = ""  # the error that ended the cell of the loop, in words
        self.cursor = 0  # grows with each point
        self._pace: deque[tuple[float, int]] = deque(maxlen=64)  # (time, step), about one each quarter second
        self.last_point = 0.0  # when the newest step was noted, in seconds since 1970
        self._looks: Looks | None = None
        self._looked = (-math.inf, "")  # when the looks were read, and what they say

    def gather(self) -> bool:
        """Take in what the run logged since the last call; whether there was anything."""
        points, self.cursor = self.run.points_since(self.cursor)
        for name, step, value, when in points:
            series = self.series.get(name)
            if series is None:
                series = self.series[name] = Series()
            series.add(step, value)
            if step > self.step:
                self.step = step
                self.last_point = when
                if not self._pace or when - self._pace[-1][0] >= 0.25:
                    self._pace.append((when, step))
        if self.run.paused:
            self.forget_pace()
            self.last_point = time.time()  # the next step follows as soon as the loop may go on
        return bool(points)

    def forget_pace(self) -> None:
        """The loop stood still on purpose: time that passed says nothing about its speed."""
        self._pace.clear()

    def looked(self) -> str:
        """What the looks at single steps found, in one line for a terminal; read every other second at most."""
        if self._looks is None:
            self._looks = Looks(self.run)
        now = time.monotonic()
        is_over = str(self.run.status) not in ("running", "resting")
        if is_over or now - self._looked[0] >= LOOKED_EVERY_S:
            self._looks.gather(wait=is_over)
            self._looked = (now, panels.summary(self._looks, self))
        return self._looked[1]

    def state(self) -> dict[str, Any]:
        """Everything but the points: text, progress, charts and their curves."""
        status = self.status()
        progress = self._progress(status)
        charts = self._charts()
        numbers = self._numbers()
        return {
            "lang": language(),
            "status": status,
            "title": self.run.name or _("Training"),
            "status_text": self._status_text(status),
            "progress": progress,
            "charts": charts,
            "numbers": numbers,
            "device": str(self.run.info.get("device_line") or self.run.info.get("device") or ""),
            "watching": self._watching(),
            "notice": self._notice(),
            "said": self._said(status, progress, charts),
        }

    def status(self) -> str:
        """`waiting`, `running`, `pausing`, `paused`, `stopping`, `resting`, `finished`, `stopped` or `failed`."""
        status = str(self.run.status)
        if status in ("running", "resting") and self.step < 0:
            return "waiting"
        if status == "running" and self.run.stop_requested:
            return "stopping"
        if status == "running" and self.run.paused:
            return "paused"
        if status == "running" and self.run.pause_requested:
            return "pausing"
        return "failed" if status == "died" else status

    def curves(self, sent: dict[str, tuple[int, int, int]] | None = None) -> dict[str, Any]:
        """The points to draw, as `{metric: {generation, from, x, y, low, high}}`.

        Args:
            sent: What the page has: metric to (generation, buckets, last step). It is brought up to date, and only what
                is new since then is returned. None returns everything.
        """
        news: dict[str, Any] = {}
        for name in self._drawn():
            series = self.series[name]
            mark = (series.generation, len(series), series.x[-1] if series.x else -1)
            before = (sent or {}).get(name)
            if before == mark:
                continue
            # The newest bucket that the page has may have been filled further: send it again.
            start = max(0, before[1] - 1) if before is not None and before[0] == series.generation else 0
            if sent is not None:
                sent[name] = mark
            news[name] = {
                "generation": series.generation,
                "from": start,
                "x": series.x[start:],
                "y": _short(series.mean[start:]),
                "low": _short(series.low[start:]),
                "high": _short(series.high[start:]),
            }
        return news

    def _drawn(self) -> list[str]:
        names = (f"{split}/{quantity}" for quantity in self._quantities() for split in SPLITS)
        return [name for name in names if name in self.series]

    def _quantities(self) -> list[str]:
        quantities = {name.partition("/")[2] for name in self.series if name.partition("/")[0] in SPLITS}
        quantities.discard("")
        return sorted(quantities, key=lambda q: ({"loss": 0, "accuracy": 1}.get(q, 2), q))[:MAX_CHARTS]

    def _charts(self) -> list[dict[str, Any]]:
        charts = []
        for quantity in self._quantities():
            is_share = quantity == "accuracy"
            curves = []
            for split in SPLITS:
                series = self.series.get(f"{split}/{quantity}")
                if series is None:
                    continue
                value = series.current()
                curves.append(
                    {
                        "key": f"{split}/{quantity}",
                        "split": split,
                        "label": _split_name(split),
                        "value": words.share(value) if is_share else words.number(value),
                    }
                )
            charts.append(
                {
                    "key": quantity,
                    "title": _quantity_name(quantity),
                    "unit": "share" if is_share else "number",
                    "steps": self._planned()[0] or 0,
                    "curves": curves,
                }
            )
        return charts

    def _status_text(self, status: str) -> str:
        total = self._planned()[0]
        is_complete = status == "resting" and total is not None and self.step + 1 >= total
        return _status_text("finished" if is_complete else status)

    def _planned(self) -> tuple[int | None, int | None, int | None]:
        plan = self.run.plan
        return plan.steps, plan.total_epochs, plan.steps_per_epoch

    def _progress(self, status: str) -> dict[str, Any]:
        total, epochs, per_epoch = self._planned()
        done = self.step + 1
        parts = []
        if total:
            parts.append(_("step {step} of {total}", step=words.count(done), total=words.count(total)))
        elif done:
            parts.append(_("step {step}", step=words.count(done)))
        if per_epoch and done:
            epoch = (done - 1) // per_epoch + 1
            if epochs:
                parts.append(_("epoch {epoch} of {total}", epoch=words.count(epoch), total=words.count(epochs)))
            else:
                parts.append(_("epoch {epoch}", epoch=words.count(epoch)))
        share: float | None = None
        remaining = 0
        if total:
            share, remaining = min(1.0, done / total), max(0, total - done)
        elif per_epoch and done:
            in_epoch = (done - 1) % per_epoch + 1
            share, remaining = in_epoch / per_epoch, per_epoch - in_epoch
        left = ""
        pace = self.seconds_per_step()
        if status == "running" and remaining and pace is not None:
            time_left = words.duration(remaining * pace)
            if total:
                left = _("{duration} left", duration=time_left)
            else:
                left = _("{duration} left in this epoch", duration=time_left)
        return {"share": share, "text": " · ".join(parts), "left": left, "done": done, "total": total or 0}

    def seconds_per_step(self) -> float | None:
        """The recent pace of the loop, None where too little is known."""
        if len(self._pace) < 2 or self.last_point <= self._pace[0][0]:
            return None
        steps = self.step - self._pace[0][1]
        return (self.last_point - self._pace[0][0]) / steps if steps > 0 else None

    def _numbers(self) -> list[dict[str, str]]:
        numbers = []
        if (speed := self.series.get("samples_per_s")) is not None and math.isfinite(speed.current()):
            numbers.append({"label": _("samples/s"), "value": words.count(speed.current())})
        elif (pace := self.seconds_per_step()) is not None:
            numbers.append({"label": _("steps/s"), "value": words.number(1 / pace)})
        if (lr := self.series.get("lr")) is not None:
            numbers.append({"label": _("learning rate"), "value": f"{lr.last:.3g}"})
        if (norm := self.series.get("grad/norm")) is not None:
            numbers.append({"label": _("gradient norm"), "value": words.number(norm.current())})
        return numbers

    def _watching(self) -> str:
        """What watching costs, and what it does not see."""
        info = self.run.info
        said = []
        cost = info.get("overhead")
        if isinstance(cost, int | float) and self.step >= 0:
            said.append(_("Watching costs {share} of the time.", share=words.share(cost)))
        less = info.get("sees_less")
        return " ".join([*said, *panels.sees_less(less if isinstance(less, list) else [])])

    def _notice(self) -> str:
        if self.error:
            return self.error
        lost = self.series.get("train/loss")
        if lost is not None and lost.lost_at is not None:
            return _("The loss has not been a finite number since step {step}.", step=words.count(lost.lost_at))
        return ""

    def _said(self, status: str, progress: dict[str, Any], charts: list[dict[str, Any]]) -> str:
        """The state in one line, for screen readers, terminals and the text of a saved notebook."""
        parts = [self._status_text(status)]
        if progress["text"]:
            parts.append(progress["text"])
        for chart in charts:
            for curve in chart["curves"]:
                parts.append(f"{chart['title']} ({curve['label']}) {curve['value']}")
        if progress["left"]:
            parts.append(progress["left"])
        return " · ".join(parts)


def still_curves(board: Board) -> dict[str, list[tuple[int, float]]]:
    """The smoothed line of each metric, for drawings that show no more than that."""
    return {
        name: list(zip(board.series[name].x, smooth(board.series[name].mean), strict=True)) for name in board._drawn()
    }


def _status_text(status: str) -> str:
    # Spelled out one by one, so that the catalogue tool finds each.
    if status == "waiting":
        return _("Waiting for the first step")
    if status == "running":
        return _("Training")
    if status == "stopping":
        return _("Stopping after this step")
    if status == "pausing":
        return _("Pausing after this step")
    if status == "paused":
        return _("Paused between two steps")
    if status == "resting":
        return _("Done for now")
    if status == "finished":
        return _("Finished")
    if status == "stopped":
        return _("Stopped; the model keeps what it has learned")
    return _("Ended by an error")


def _split_name(split: str) -> str:
    if split == "train":
        return _("train")
    return _("validation") if split == "val" else _("test")


def _quantity_name(quantity: str) -> str:
    if quantity == "loss":
        return _("Loss")
    return _("Accuracy") if quantity == "accuracy" else quantity


def _short(values: list[float]) -> list[float]:
    return [float(f"{value:.5g}") for value in values]  # a screen shows no more digits
