"""Where a dataset comes from, and what one may do with it."""

from dataclasses import dataclass, field

from firstlight.locale import Text, _


@dataclass(frozen=True)
class Download:
    """One file that a dataset is fetched from.

    Attributes:
        name: The file's name, in the data folder and below a mirror.
        urls: Addresses that hold it, tried in this order.
        sha256: What the file's bytes must add up to.
        size_bytes: Its length.
    """

    name: str
    urls: tuple[str, ...]
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Card:
    """What a dataset is: source, licence, citation. `print(train.card)` shows it.

    Attributes:
        name: The name by which `load` knows it, or the path or kind of the learner's own data.
        text: What it holds, what it serves for, what to keep in mind.
        source: Where it comes from.
        licence: What its makers allow.
        citation: How to name it in a paper.
        downloads: The files that it is fetched from.
        place: Where these samples were read from on this machine.

    Example:
        >>> print(Card(name="flowers", source="my garden", licence="CC0-1.0"))
        flowers
        Source: my garden
        Licence: CC0-1.0
    """

    name: str
    text: Text | None = None
    source: str = ""
    licence: str = ""
    citation: str = ""
    downloads: tuple[Download, ...] = field(default=(), repr=False)
    place: str = ""

    def __str__(self) -> str:
        lines = [self.name]
        if self.text is not None:
            lines.append(self.text.fill())
        if self.source:
            lines.append(_("Source: {source}", source=self.source))
        if self.licence:
            lines.append(_("Licence: {licence}", licence=self.licence))
        if self.citation:
            lines.append(_("Citation: {citation}", citation=self.citation))
        if self.place:
            lines.append(_("Read from: {place}", place=self.place))
        return "\n".join(lines)
