"""One jupytext source and two gettext catalogues become one notebook per language, with identical code cells.

For those who write lessons: needs `firstlight[dev]`. `firstlight lang` calls `check`, `update_catalogues` and
`build_all`.

A message is one paragraph, heading, list item, quote or table cell. Code cells are never translated, so no prose stands
in them. What `check` finds is listed in `docs/lessons.md`.
"""

import hashlib
import io
import json
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import polib

from firstlight.lessons.problems import BuildToolsMissing
from firstlight.locale import LANGUAGES
from firstlight.locale.catalogue import update_catalogue

HERE = Path(__file__).parent
TRANSLATED = tuple(lang for lang in LANGUAGES if lang != "en")


@dataclass(frozen=True)
class Places:
    """Where the sources, the catalogues and the built notebooks are. Tests build elsewhere."""

    sources: Path = HERE / "sources"
    catalogues: Path = HERE.parent / "locale"
    notebooks: Path = HERE / "notebooks"

    def lessons(self) -> list[Path]:
        """The sources, in the order of the alphabet."""
        return sorted(self.sources.glob("*.py"))

    def catalogue(self, source: Path, lang: str) -> Path:
        """The translations of one lesson into one language."""
        return self.catalogues / lang / f"{source.stem}.po"

    def notebook(self, source: Path, lang: str) -> Path:
        """The built notebook of one lesson in one language."""
        return self.notebooks / lang / f"{source.stem}.ipynb"


INSTALLED = Places()


@dataclass(frozen=True)
class Block:
    """One translatable piece of a markdown cell.

    Attributes:
        text: The English, on one line.
        first: Its first line in the cell, from 0.
        end: One past its last line.
        column: For a table cell its column, from 0; otherwise None.
        prefix: What stands before the text in its first line: `## `, `- `, `> `.
    """

    text: str
    first: int
    end: int
    column: int | None
    prefix: str


def build_all(places: Places = INSTALLED) -> list[Path]:
    """Write every notebook in every language; what is not translated stays English.

    Returns:
        The notebooks whose content changed.
    """
    changed = []
    for source in places.lessons():
        for lang in LANGUAGES:
            path = places.notebook(source, lang)
            content = _dump(build(source, lang, places))
            if not path.exists() or path.read_text(encoding="utf-8") != content:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content, encoding="utf-8", newline="\n")
                changed.append(path)
    return changed


def update_catalogues(places: Places = INSTALLED) -> list[Path]:
    """Bring the catalogues in step with the sources: new texts empty, changed ones fuzzy, gone ones removed."""
    written = []
    for source in places.lessons():
        for lang in TRANSLATED:
            path = places.catalogue(source, lang)
            update_catalogue(path, messages(source), lang)
            written.append(path)
    return written


def check(places: Places = INSTALLED) -> list[str]:
    """What is wrong with sources, catalogues and built notebooks; an empty list when all is well."""
    problems: list[str] = []
    for source in places.lessons():
        problems += _check_source(source)
        for lang in TRANSLATED:
            problems += _check_catalogue(source, places.catalogue(source, lang))
        problems += _check_notebooks(source, places)
    return problems


def messages(source: Path) -> dict[str, str]:
    """Each text to translate, with the heading that it stands under, in reading order."""
    found: dict[str, str] = {}
    heading = ""
    for cell in _read(source).cells:
        if cell.cell_type != "markdown":
            continue
        for block in blocks(cell.source):
            if block.prefix.lstrip().startswith("#"):
                heading = block.text
            if _speaks(block.text):
                found.setdefault(block.text, f"{source.name}, {heading}:0")
    return found


def blocks(markdown: str) -> list[Block]:
    r"""The translatable pieces of one markdown cell, top to bottom.

    Example:
        >>> [block.text for block in blocks("## Data\n\n- one\n- two\n  lines\n\n| a |\n|---|\n| b |")]
        ['Data', 'one', 'two lines', 'a', 'b']
    """
    lines = markdown.split("\n")
    found: list[Block] = []
    column = -1
    tokens = _parser().parse(markdown)
    for before, token in pairwise(tokens):
        if token.type == "tr_open":
            column = -1
        if token.type in ("th_open", "td_open"):
            column += 1
        if token.type != "inline" or not token.content.strip() or token.map is None:
            continue
        first, end = token.map
        if before.type in ("th_open", "td_open"):
            found.append(Block(token.content, first, end, column, ""))
            continue
        start = token.content.split("\n")[0]
        prefix = lines[first][: lines[first].find(start)]
        found.append(Block(re.sub(r"\s*\n\s*", " ", token.content), first, end, None, prefix))
    return found


def translate(markdown: str, translations: dict[str, str]) -> str:
    r"""The cell with each block in another language; a block without a translation stays.

    Example:
        >>> translate("## Data\n\nSome text.", {"Data": "データ"})
        '## データ\n\nSome text.'
    """
    lines: list[str | None] = list(markdown.split("\n"))
    for block in blocks(markdown):
        text = translations.get(block.text)
        if not text:
            continue
        if block.column is None:
            lines[block.first] = block.prefix + text
            lines[block.first + 1 : block.end] = [None] * (block.end - block.first - 1)
        else:
            parts = re.split(r"(?<!\\)\|", lines[block.first] or "")
            parts[block.column + 1] = " " + re.sub(r"(?<!\\)\|", r"\\|", text) + " "
            lines[block.first] = "|".join(parts)
    return "\n".join(line for line in lines if line is not None)


def build(source: Path, lang: str, places: Places = INSTALLED) -> Any:
    """One lesson in one language, as an nbformat notebook without outputs."""
    import nbformat

    notebook = _read(source)
    catalogue = places.catalogue(source, lang)
    translations = _translations(catalogue) if lang != "en" else {}
    content = source.read_bytes() + (catalogue.read_bytes() if translations else b"")
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        seen[cell.source] += 1  # two equal cells need two ids
        cell.id = hashlib.sha256(f"{source.stem}:{seen[cell.source]}:{cell.source}".encode()).hexdigest()[:8]
        cell.metadata.pop("lines_to_next_cell", None)
        if cell.cell_type == "markdown":
            cell.source = translate(cell.source, translations)
        else:
            cell.outputs, cell.execution_count = [], None
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "firstlight": {
                "lang": lang,
                "source": source.name,
                "hash": hashlib.sha256(content.replace(b"\r\n", b"\n")).hexdigest()[:16],
            },
        }
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    nbformat.validate(notebook)
    return notebook


def _check_source(source: Path) -> Iterator[str]:
    for number, cell in enumerate(_read(source).cells, 1):
        where = f"{source.name}, cell {number}"
        if cell.cell_type == "code":
            for text in _prose_in_code(cell.source):
                yield f"{where}: prose in a code cell cannot be translated: {text!r}"
            continue
        for token in _parser().parse(cell.source):
            if token.type == "html_block":
                yield f"{where}: an HTML block is not translated: {token.content.strip()[:60]!r}"
        for block in blocks(cell.source):
            if "\\\n" in cell.source or "  \n" in cell.source:
                yield f"{where}: a hard line break is lost in translation: {block.text[:60]!r}"
                break


def _check_catalogue(source: Path, path: Path) -> Iterator[str]:
    name = f"{path.parent.name}/{path.name}"
    try:
        entries = (
            {entry.msgid: entry for entry in polib.pofile(str(path)) if not entry.obsolete} if path.exists() else {}
        )
    except (OSError, UnicodeDecodeError) as error:
        yield f"{name}: cannot be read: {error}"
        return
    wanted = messages(source)
    for text in wanted:
        entry = entries.get(text)
        if entry is None or not entry.msgstr:
            yield f"{name}: missing: {text[:70]!r}"
        elif entry.fuzzy:
            yield f"{name}: stale, the English changed: {text[:70]!r}"
        else:
            for problem in markup_problems(text, entry.msgstr):
                yield f"{name}: {problem}: {text[:70]!r}"
    for text in entries:
        if text not in wanted:
            yield f"{name}: obsolete, no such text in the lesson: {text[:70]!r}"


def markup_problems(text: str, translated: str) -> Iterator[str]:
    """What a translation lost on the way: code, formulas, link targets, numbers, emphasis.

    Example:
        >>> list(markup_problems("Run `fit` twice.", "`fot` を2回実行します。"))
        ["inline code differs: ['`fit`'] and ['`fot`']"]
    """
    for what, pattern in (("inline code", _CODE), ("formula", _MATH), ("link target", r"\]\(([^)]+)\)")):
        english, other = sorted(re.findall(pattern, text)), sorted(re.findall(pattern, translated))
        if english != other:
            yield f"{what} differs: {english} and {other}"
    plain, other_plain = (re.sub(f"{_CODE}|{_MATH}|\\]\\([^)]+\\)", " ", t) for t in (text, translated))
    if gone := sorted({*re.findall(_NUMBER, plain)} - {*re.findall(_NUMBER, other_plain)}):
        yield f"numbers vanished: {gone}"
    if plain.count("**") != other_plain.count("**"):
        yield "not as many bold passages as in English"
    rendered = "".join(_parser().renderInline(translated).split("<code>")[::2])
    if "**" in other_plain and "**" in re.sub(r"<code>.*?</code>", "", rendered):
        yield "emphasis beside punctuation that CommonMark does not see; put a space outside the stars"


_CODE = r"`[^`]+`"
_MATH = r"\$\$.+?\$\$|\$[^$\n]+\$"
_NUMBER = r"(?<![A-Za-z0-9_.])\d+(?:[.,]\d+)*"  # Japanese and Korean letters may touch a number


def _check_notebooks(source: Path, places: Places) -> Iterator[str]:
    import nbformat

    reference = None
    for lang in LANGUAGES:
        path = places.notebook(source, lang)
        name = f"notebooks/{lang}/{path.name}"
        if not path.exists():
            yield f"{name}: missing; run firstlight lang update"
            continue
        text = path.read_text(encoding="utf-8")
        try:
            notebook = nbformat.reads(text, as_version=4)
        except (nbformat.reader.NotJSONError, nbformat.ValidationError) as error:
            yield f"{name}: cannot be read: {error}"
            continue
        try:
            fresh = build(source, lang, places)
        except (OSError, UnicodeDecodeError):
            continue  # the catalogue cannot be read, which was said above
        if json.loads(text) != json.loads(_dump(fresh)):
            yield f"{name}: out of date; run firstlight lang update"
        code = [(cell.id, cell.source) for cell in notebook.cells if cell.cell_type == "code"]
        if reference is None:
            reference = code
        elif code != reference:
            yield f"{name}: its code cells differ from those of the first language"


_PROSE = re.compile(r"[^\W\d_]{2,} +[^\W\d_]{2,}|[\u3040-\ud7a3]")  # two words, or Japanese or Korean


def _prose_in_code(code: str) -> Iterator[str]:
    """Comments that are sentences, and strings with words in them; docstrings too."""
    for token in tokenize.generate_tokens(io.StringIO(re.sub(r"(?m)^\s*[%!].*", "pass", code)).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING) and _PROSE.search(token.string):
            yield token.string


def _speaks(text: str) -> bool:
    """Whether anything in it needs a translator: more than code, formulas, numbers and signs."""
    return re.search(r"[^\W\d_]", re.sub(f"{_CODE}|{_MATH}", "", text)) is not None


def _translations(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    return {entry.msgid: entry.msgstr for entry in polib.pofile(str(path)) if entry.translated() and not entry.obsolete}


def _read(source: Path) -> Any:
    try:
        import jupytext
    except ImportError as error:
        raise BuildToolsMissing(package="jupytext") from error
    return jupytext.read(source)


def _parser() -> Any:
    try:
        from markdown_it import MarkdownIt
    except ImportError as error:
        raise BuildToolsMissing(package="markdown-it-py") from error
    return MarkdownIt("commonmark").enable("table")


def _dump(notebook: Any) -> str:
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
