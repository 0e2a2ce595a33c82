"""What a rule is: a question that the doctor asks of a run, and the answer that it gives, a finding."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from firstlight.doctor.places import Place
from firstlight.locale import Text, translated
from firstlight.run import Run

Voice = Literal["alarm", "question", "note"]
VOICES: tuple[Voice, ...] = ("alarm", "question", "note")
"""From the strongest to the weakest. An alarm claims: this is wrong, here is the proof. Only alarms interrupt."""

Stage = Literal["data", "graph", "order", "optimizer", "evaluation", "dynamics", "resources", "review"]
STAGES: tuple[Stage, ...] = ("data", "graph", "order", "optimizer", "evaluation", "dynamics", "resources", "review")
"""Where a cause lies, the first causes first: what comes later may be a consequence of what comes before."""


@dataclass(frozen=True)
class Edit:
    """A change of the learner's program that mends it.

    Attributes:
        file: The file, or None for the file of the finding's place.
        line: The line where it begins, counted from 1.
        old: So many lines are taken away, 0 to insert before `line`.
        new: The lines to put in their place, with their indentation.
    """

    line: int
    old: int
    new: tuple[str, ...]
    file: str | None = None

    def apply(self, source: str) -> str:
        r"""The program with this change.

        Example:
            >>> print(Edit(line=2, old=0, new=("b",)).apply("a\nc"))
            a
            b
            c
        """
        lines = source.split("\n")
        lines[self.line - 1 : self.line - 1 + self.old] = self.new
        return "\n".join(lines)


@dataclass(frozen=True)
class Finding:
    """One answer of a rule.

    Attributes:
        evidence: What was measured or seen, in numbers, as one sentence in the learner's language.
        step: The step by which the evidence was complete, counted from 0; None for what no step shows.
        place: Where in the learner's code.
        places: Other lines that belong to it, such as the two that scale.
        voice: Where it is weaker than the rule's own.
        values: What fills the placeholders of the rule's text.
        edits: A mechanical change that mends it, where there is one.
        check: Python that the learner can run to see for themselves; empty where there is none.
        text: What, why and what to do, where the rule's own do not fit; its placeholders are filled from `values` too.
        explains: Codes of the findings that this one explains, where not those of its rule.
        rule: The rule that gave it. Set by `Rule.ask`.
        consequences: Findings that this one explains. Set by `firstlight.doctor.examine`.
        proof: What replaying the steps as written and as mended showed; None where it was not tried.
    """

    evidence: str
    step: int | None = None
    place: Place | None = None
    places: tuple[Place, ...] = ()
    voice: Voice | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    edits: tuple[Edit, ...] = ()
    check: str = ""
    text: Text | None = None
    explains: tuple[str, ...] | None = None
    rule: "Rule | None" = None
    consequences: tuple["Finding", ...] = ()
    proof: Any = None

    @property
    def code(self) -> str:
        """The code of its rule."""
        return self.rule.code if self.rule is not None else ""

    def moved_to(self, place: Place | None) -> "Finding":
        """The same, pointing at another line; the old one belongs to it still. Unchanged where there is no line."""
        if place is None or self.place is None:
            return self
        return replace(self, place=place, places=(self.place, *self.places))

    @property
    def speaks(self) -> Voice:
        """Its voice: its own, else its rule's."""
        return self.voice or (self.rule.voice if self.rule is not None else "note")

    @property
    def message(self) -> str:
        """What is wrong, in the learner's language."""
        return translated(self._text.what, **self.values) if self._text is not None else ""

    @property
    def why(self) -> str:
        """Why that matters."""
        return translated(self._text.why, **self.values) if self._text is not None else ""

    @property
    def fix(self) -> str:
        """What to do."""
        return translated(self._text.do, **self.values) if self._text is not None else ""

    @property
    def _text(self) -> Text | None:
        return self.text or (self.rule.text if self.rule is not None else None)


@dataclass(frozen=True)
class Rule:
    """One question, with the programs that show what it means.

    Attributes:
        code: Its id in the fault catalogue, such as `L01`.
        name: In a few English words with hyphens.
        voice: The strongest voice that it may use.
        stage: Where its cause lies.
        question: What is asked, in English; translated where it is shown.
        find: Reads a record and gives findings. It trains nothing, prints nothing and asks nothing but the record.
        needs: Kinds of facts of which the record must hold at least one; else the rule is listed as not checked.
        text: What, why, what to do. Placeholders are filled from `Finding.values`.
        broken: A program that has the fault, and runs in seconds.
        fixed: The same program without it.
        lookalikes: Right programs that look like it, by the words that say what they are.
        explains: Codes of the findings that this one explains where both are found.
    """

    code: str
    name: str
    voice: Voice
    stage: Stage
    question: str
    find: Callable[[Run], Iterable[Finding]]
    text: Text
    broken: str
    fixed: str
    needs: tuple[str, ...] = ()
    lookalikes: Mapping[str, str] = field(default_factory=dict)
    explains: tuple[str, ...] = ()

    @property
    def asks(self) -> str:
        """Its question in the learner's language."""
        return translated(self.question)

    def ask(self, run: Run) -> Iterator[Finding]:
        """Its findings for one run."""
        for finding in self.find(run):
            yield replace(finding, rule=self)


def newest(run: Run, kind: str) -> Any:
    """What the newest fact of a kind says, None where there is none.

    Example:
        >>> run = Run()
        >>> run.add_fact(0, "modes", {"evaluation": []})
        >>> newest(run, "modes"), newest(run, "shapes")
        ({'evaluation': []}, None)
    """
    facts = run.facts(kind)
    return facts[-1].data if facts else None
