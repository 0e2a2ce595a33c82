"""What looks at the steps of a run have left in its record, read back: graphs and measured memory."""

from dataclasses import dataclass, field
from html import escape
from typing import Any

from firstlight.errors import FirstlightError
from firstlight.graph.drawing import STYLE
from firstlight.graph.operations import Graph
from firstlight.locale import Text, _
from firstlight.locale.units import size
from firstlight.picture import Picture, in_columns
from firstlight.run import Fact, Run

_MOST_ROWS = 40  # of modules
_MOST_STEPS = 5  # that an error names
_CURVE = (480, 96)  # pixels
_COLOURS = {"forward": "#0072b2", "backward": "#d98a00", "optimizer": "#b2588f"}


class NoLook(FirstlightError, LookupError):
    """Nothing of the kind was recorded."""

    text = Text(
        what="The record of the run {name} holds nothing about its {kind} {where}.",
        why="Only some steps are looked at closely: the first ones, then ever fewer. {why}",
        do="Steps that were looked at: {steps}. watch(..., looks=[3, 9]) looks at steps of your choice.",
    )


def graph_of(run: Run, step: int | None = None) -> Graph:
    """The graph of the newest look at or before a step; see `Run.graph`."""
    look = _newest(run, "graph", _("computation graph"), step)
    return Graph.from_rows(run.operations(look.data["rows_at"]), step=look.step)


@dataclass(frozen=True, repr=False)
class MeasuredMemory:
    """What a step held, in bytes. In a notebook a picture, elsewhere a table.

    Counted are the tensors of the step as they come and go, operation by operation, and what an operation takes for a
    moment besides.

    Attributes:
        step: Which one.
        parameters: Of the models, with their buffers, before the step.
        gradients: Those that were there before the step.
        state: What the optimizers kept before the step.
        peak: The most that was held at one time, all of the above counted.
        phase: When that was: "forward", "backward" or "optimizer".
        where: Path of the module that ran then, or whose backward pass ran; "" for the model itself or the loss.
        operation: PyTorch's name of the operation.
        phases: The most that was held in each phase.
        saved: What the forward pass left for the backward pass, by path of module.
        curve: Pairs of phase and bytes over the step, the highest of each stretch.
    """

    step: int
    parameters: int
    gradients: int
    state: int
    peak: int
    phase: str
    where: str
    operation: str
    phases: dict[str, int] = field(default_factory=dict)
    saved: dict[str, int] = field(default_factory=dict)
    curve: tuple[tuple[str, int], ...] = ()

    def __repr__(self) -> str:
        lines = [self._title(), "", in_columns([(name, size(count)) for name, count in self._parts()], left=1)]
        lines += ["", self._moment()]
        table = [(_("module"), _("activations")), *((name, size(count)) for name, count in self._modules())]
        if len(table) > 1:
            lines += ["", in_columns(table, left=1)]
        return "\n".join(lines)

    def picture(self) -> Picture:
        """The table and the curve of one step as HTML, and as text."""
        parts = "".join(f'<tr><th scope="row">{escape(n)}</th><td>{size(c)}</td></tr>' for n, c in self._parts())
        most = max(self.saved.values(), default=0) or 1
        modules = "".join(
            f'<tr><th scope="row">{escape(name)}</th><td class=fl-nowrap>{size(count)}</td>'
            f'<td><svg width="240" height="16" viewBox="0 0 240 16" aria-hidden="true"><rect x="0" y="2" height="12" '
            f'width="{240 * count / most:.1f}" style="fill:#009e73;stroke:none"/></svg></td></tr>'
            for name, count in self._modules()
        )
        if modules:
            head = f'<tr><th scope="col">{escape(_("module"))}</th><th scope="col">{escape(_("activations"))}</th><th>'
            modules = (
                f'<div class="fl-scroll"><table><thead>{head}</th></tr></thead><tbody>{modules}</tbody></table></div>'
            )
        html = (
            f'<div class="fl-graph" role="group" aria-label="{escape(self._title())}">{STYLE}'
            f'<p class="fl-head">{escape(self._title())}</p><table><tbody>{parts}</tbody></table>'
            f"<p>{escape(self._moment())}</p>{self._drawn()}{modules}</div>"
        )
        return Picture(html=html, text=repr(self))

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return self.picture().bundle()

    def show(self) -> None:
        """Show it where the person is."""
        self.picture().display()

    def _title(self) -> str:
        return _("Memory of step {step}, measured", step=self.step)

    def _parts(self) -> list[tuple[str, int]]:
        parts = [(_("parameters"), self.parameters), (_("gradients"), self.gradients), (_("optimizer"), self.state)]
        parts.append((_("activations, kept for the backward pass"), sum(self.saved.values())))
        names = phase_names()
        parts += [(_("most in phase {phase}", phase=names.get(kind, kind)), held) for kind, held in self.phases.items()]
        return [part for part in parts if part[1]] + [(_("peak, all together"), self.peak)]

    def _modules(self) -> list[tuple[str, int]]:
        rows = sorted(self.saved.items(), key=lambda row: -row[1])
        shown = [(path or _("the model itself or the loss"), held) for path, held in rows[:_MOST_ROWS]]
        rest = sum(held for _path, held in rows[_MOST_ROWS:])
        return [*shown, ("…", rest)] if rest else shown

    def _moment(self) -> str:
        layer = self.where or _("the model itself or the loss")
        if self.phase == "optimizer":
            return _("Most was held during the step of the optimizer ({operation}).", operation=self.operation)
        if self.phase == "backward":
            return _(
                "Most was held in the backward pass of {layer} ({operation}).", layer=layer, operation=self.operation
            )
        return _("Most was held in the forward pass of {layer} ({operation}).", layer=layer, operation=self.operation)

    def _drawn(self) -> str:
        """The curve over the step, a column for each stretch, in the colour of its phase."""
        if not self.curve:
            return ""
        (width, height), most = _CURVE, max(held for _phase, held in self.curve) or 1
        wide = width / len(self.curve)
        columns = "".join(
            f'<rect x="{at * wide:.1f}" y="{height * (1 - held / most):.1f}" width="{wide + 0.2:.1f}" '
            f'height="{height * held / most:.1f}" style="fill:{_COLOURS.get(phase, "#888")};stroke:none"/>'
            for at, (phase, held) in enumerate(self.curve)
        )
        names = phase_names()
        key = "".join(
            f'<span style="border-color:{colour}">{escape(names[phase])}</span>' for phase, colour in _COLOURS.items()
        )
        return (
            f'<p class="fl-key">{key}</p><svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
            f'style="max-width:100%" aria-hidden="true">{columns}</svg>'
        )


def phase_names() -> dict[str, str]:
    """The phases of a step as they are read."""
    return {"forward": _("forward"), "backward": _("backward"), "optimizer": _("optimizer")}


def memory_of(run: Run, step: int | None = None) -> MeasuredMemory:
    """The memory at the newest look at or before a step; see `Run.memory`."""
    look = _newest(run, "memory", _("memory"), step)
    data = look.data
    return MeasuredMemory(
        look.step, data["parameters"], data["gradients"], data["state"], data["peak"], data["at"]["phase"],
        data["at"]["module"], data["at"]["operation"], dict(data["phases"]), dict(data["saved"]),
        tuple((phase, held) for phase, held in data["curve"]),
    )  # fmt: skip


def _newest(run: Run, kind: str, name: str, step: int | None) -> Fact:
    looks = run.facts(kind)
    found = [look for look in looks if step is None or look.step <= step]
    if found:
        return found[-1]
    steps = ", ".join([*(str(look.step) for look in looks[:_MOST_STEPS]), *(["…"] if looks[_MOST_STEPS:] else [])])
    where = _("at any step") if step is None else _("at step {step} or before", step=step)
    raise NoLook(name=run.name, kind=name, where=where, why=_why_none(run, any_look=bool(looks)), steps=steps or "–")


def _why_none(run: Run, *, any_look: bool) -> str:
    """What besides the pace of the looks explains that one is not there; empty where nothing does."""
    less = run.info.get("sees_less", [])
    if "compile" in less:
        return _("Of what torch.compile runs, no more than the whole is seen.")
    if "capture" in less:
        return _("The step runs as one captured CUDA graph, whose inside is not seen.")
    if any_look:
        return ""
    if run.status == "running":
        return _("This run is still going: its first look may be yet to come.")
    return _("In this run there was none: fl.watch(model, optimizer) looks at steps, unless it is given looks=False.")
