"""The translator's tool: finds every sentence in the code and holds the Japanese and Korean catalogues to them.

One catalogue per room and language: `locale/ja/data.po` holds what `data/` says, `locale/ja/firstlight.po` what stands
beside the rooms. The English sentence is the key, so nothing has to be invented or kept in step by hand.
"""

import ast
import difflib
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polib

from firstlight.locale import LANGUAGES

PACKAGE = Path(__file__).parents[1]
TRANSLATED = tuple(lang for lang in LANGUAGES if lang != "en")
SPEAKING = ("_", "Text", "add_argument", "add_parser", "print", "write")
SPOKEN = ("help", "description", "epilog", "metavar", "what", "why", "do", "question")
HEADER = {"Content-Type": "text/plain; charset=utf-8", "Content-Transfer-Encoding": "8bit", "MIME-Version": "1.0"}


@dataclass(frozen=True)
class Message:
    """One English sentence and the first place where it stands."""

    text: str
    room: str
    place: str


def messages(package: Path = PACKAGE) -> list[Message]:
    """Every sentence in `_("...")`, `Text(...)` and `Rule(question=...)` below a folder, by files and lines."""
    found: dict[tuple[str, str], Message] = {}
    for path in _modules(package):
        room = _room(path, package)
        for text, line in _sentences(ast.parse(path.read_text(encoding="utf-8"))):
            place = f"{path.relative_to(package).as_posix()}:{line}"
            found.setdefault((room, text), Message(text, room, place))
    return list(found.values())


def check(package: Path = PACKAGE) -> list[str]:
    """What is wrong with the catalogues and with sentences that never reach them; an empty list when all is well."""
    wanted = messages(package)
    problems = [problem for path in _modules(package) for problem in _untranslatable(path, package)]
    for lang in TRANSLATED:
        folder = package / "locale" / lang
        meanings: dict[str, tuple[str, str]] = {}
        for room in sorted({message.room for message in wanted}):
            path = folder / f"{room}.po"
            texts = {message.text: message.place for message in wanted if message.room == room}
            try:
                entries = _entries(path)
            except (OSError, UnicodeDecodeError, ValueError) as error:
                problems.append(f"{lang}/{path.name}: cannot be read: {error}")
                continue
            problems += check_entries(f"{lang}/{path.name}", entries, texts)
            for entry in entries:
                other = meanings.setdefault(entry.msgid, (room, entry.msgstr))
                if entry.msgstr and other[1] != entry.msgstr:
                    problems.append(f"{lang}/{room}.po: says {entry.msgid!r} otherwise than {lang}/{other[0]}.po does")
    return problems


def check_entries(name: str, found: list[polib.POEntry], texts: dict[str, str]) -> list[str]:
    """Hold the entries of one `.po` file to what it must translate (English text to the place where it stands)."""
    entries = {entry.msgid: entry for entry in found}
    problems = []
    for text, place in texts.items():
        entry = entries.get(text)
        if entry is None or not entry.msgstr:
            problems.append(f"{name}: missing ({place}): {text!r}")
        elif entry.fuzzy:
            problems.append(f"{name}: stale, the English changed ({place}): {text!r}")
        else:
            problems += [f"{name}: {what} ({place}): {text!r}" for what in _malformed(text, entry.msgstr)]
    problems += [f"{name}: obsolete, no such sentence in the code: {text!r}" for text in entries if text not in texts]
    return problems


def update(package: Path = PACKAGE) -> list[Path]:
    """Bring every catalogue in step: new sentences empty, changed ones kept as fuzzy, gone ones removed."""
    wanted = messages(package)
    written = []
    for lang in TRANSLATED:
        for room in sorted({message.room for message in wanted}):
            path = package / "locale" / lang / f"{room}.po"
            update_catalogue(path, {m.text: m.place for m in wanted if m.room == room}, lang)
            written.append(path)
    return written


def update_catalogue(path: Path, texts: dict[str, str], lang: str) -> None:
    """Bring one `.po` file in step with its sentences. A near relative of a gone sentence lends it its translation."""
    old = {entry.msgid: entry for entry in _entries(path)}
    gone = {text: entry for text, entry in old.items() if text not in texts and entry.msgstr}
    new = polib.POFile(wrapwidth=110)
    new.metadata = {"Language": lang, **HEADER}
    for text, place in texts.items():
        entry = old.get(text) or polib.POEntry(msgid=text)
        if not entry.msgstr and (near := difflib.get_close_matches(text, gone, n=1, cutoff=0.6)):
            entry.msgstr, entry.previous_msgid = gone[near[0]].msgstr, near[0]
            entry.flags = ["fuzzy"]
        entry.occurrences = [(place.rpartition(":")[0] or place, "")]
        new.append(entry)
    path.parent.mkdir(parents=True, exist_ok=True)
    new.save(str(path))


def _modules(package: Path) -> list[Path]:
    """The modules that may speak; lesson sources are notebooks and have catalogues of their own."""
    return [path for path in sorted(package.rglob("*.py")) if "sources" not in path.relative_to(package).parts]


def _room(path: Path, package: Path) -> str:
    parts = path.relative_to(package).parts
    return parts[0] if len(parts) > 1 and parts[0] != "locale" else "firstlight"


def _sentences(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = _callee(node)
        arguments = node.args[:1] if name == "_" else []
        if name in ("Text", "Rule"):
            arguments = [k.value for k in node.keywords if k.arg in SPOKEN]
        for argument in arguments:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str) and argument.value:
                yield argument.value, argument.lineno


def _untranslatable(path: Path, package: Path) -> Iterator[str]:
    """Sentences that a person would see and that no catalogue can reach."""
    if path.parent == package / "locale":
        return  # the mechanism itself, and this tool, which speaks to developers
    where = path.relative_to(package).as_posix()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            parts = node.exc.args if _callee(node.exc) not in ("AttributeError", "SystemExit") else []
        elif isinstance(node, ast.Call) and _callee(node) in SPEAKING:
            parts = [k.value for k in node.keywords if k.arg in SPOKEN]
            if _callee(node) in ("_", "Text"):
                literal = node.args[:1] if _callee(node) == "_" else parts
                if not all(isinstance(part, ast.Constant) for part in literal):
                    yield f"{where}:{node.lineno}: {_callee(node)}() needs a literal English sentence"
                continue
            if _callee(node) in ("print", "write"):
                parts = [*parts, *node.args]
        else:
            continue
        for part in parts:
            if text := _prose(part):
                yield f"{where}:{part.lineno}: a person reads this, so it goes through _(): {text!r}"


def _callee(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def _prose(node: ast.expr) -> str:
    """The words of a string literal or f-string when there are two or more of them, else nothing."""
    if isinstance(node, ast.JoinedStr):
        text = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value
    else:
        return ""
    return text if re.search(r"[A-Za-z]{2,} +[A-Za-z]{2,}", text) else ""


def _malformed(text: str, translated: str) -> Iterator[str]:
    if _placeholders(text) != _placeholders(translated):
        yield "placeholders differ"
    if text == translated and re.search(r"[A-Za-z]{2,} +[a-z]{2,}", text):
        yield "is the English sentence again"
    if text.endswith("\n") != translated.endswith("\n"):
        yield "one ends with a line break, the other does not"


def _placeholders(text: str) -> set[str]:
    try:
        return {field + (f":{spec}" if spec else "") for _, field, spec, _ in string.Formatter().parse(text) if field}
    except ValueError:
        return {"not a format string"}


def _entries(path: Path) -> list[polib.POEntry]:
    if not path.exists():
        return []
    return [entry for entry in polib.pofile(str(path)) if not entry.obsolete]
