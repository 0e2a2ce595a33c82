"""Tables: CSV files and DataFrames. Numbers are inputs as they are; each different word of a column becomes an input.

Shapes: N rows, F features.
"""

import csv
import difflib
import io
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from numpy.typing import NDArray
from torch import Tensor

from firstlight.data.card import Card
from firstlight.data.dataset import Dataset, stratified_split
from firstlight.data.errors import (
    LabelsNotClasses,
    MissingValue,
    NoInputs,
    NoSamples,
    NoSuchColumn,
    NotFinite,
    NotNumbers,
    NotUtf8,
    SameName,
    TargetNeeded,
    TooManyWords,
    UnreadableTable,
)
from firstlight.data.preprocess import prepare_features
from firstlight.data.samples import finish, row, to_labels
from firstlight.locale import _

MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "?", "-", "<na>"))
MOST_WORDS = 100
MOST_CLASSES = 10_000
MOST_COLUMNS = 100_000
_LONGEST_LINE = 1 << 24  # characters, with the line breaks that stand in quotes
_KNOWN = 1 << 20  # words
_WORDS_AT_ONCE, _LONG = 1 << 10, 1 << 12  # new words that wait to be counted; characters of a row that does not wait
# Bytes in memory as long as the columns are made from the rows, rounded up from what was measured with CPython 3.11.
_ROW, _CELL = 160, 40
_WORD, _ENTRY = 64, 80  # beside its characters; in the dictionary of the known ones
_UNREAD = 64  # for each character of a row that is not whole yet: at worst each second one is a cell
Column = NDArray[np.float64] | list[str | None]  # numbers, or words with None where one is missing


@dataclass
class Table:
    """Columns by name, all of one length, how to name a row in an error, and which columns hold True and False."""

    columns: dict[str, Column]
    count: int
    place: Callable[[int], str]
    truths: frozenset[str] = frozenset()


def load_tables(
    train: Table,
    test: Table | None,
    *,
    target: str | None,
    ignore: Sequence[str],
    classes: Sequence[str] | None = None,
    name: str,
    card: Card | None,
    share: float,
    seed: int,
) -> tuple[Dataset, Dataset]:
    """Two datasets from one or two tables.

    Args:
        train: The table to train with.
        test: The table to test with; None to split one off.
        target: The column that holds the class.
        ignore: Columns to leave out.
        classes: Names of the classes, where the target holds their numbers.
        name: What the dataset is called.
        card: What is known about it.
        share: Share for a test split, where there is none.
        seed: Which rows are split off.
    """
    found = list(train.columns)
    if train.count == 0:
        raise NoSamples(place=name)
    if target is None:
        raise TargetNeeded(columns=", ".join(found), nearest=found[-1])
    for wanted in [target, *ignore]:
        if wanted not in train.columns:
            near = difflib.get_close_matches(str(wanted), found, n=1, cutoff=0.0)
            raise NoSuchColumn(column=wanted, columns=", ".join(found), nearest=near[0] if near else found[-1])
    inputs = [column for column in found if column != target and column not in ignore]
    if test is not None:
        for column in [*inputs, target]:
            if column not in test.columns:
                raise NoSuchColumn(column=column, columns=", ".join(test.columns), nearest=next(iter(test.columns)))
        if test.count == 0:
            raise NoSamples(place=name)
    if not inputs:
        raise NoInputs(column=target)
    targets, known = _targets(train, target, classes)
    test_targets = None if test is None else _targets(test, target, classes)[0]
    labels, test_labels, names = to_labels(targets, test_targets, classes, train.place, order=known)
    train_rows = torch.arange(train.count)
    if test is None:
        train_rows, test_rows = stratified_split(labels, share, seed)
        test, test_labels = train, labels[test_rows]
        labels = labels[train_rows]
    else:
        test_rows = torch.arange(test.count)
    columns = [_Encoder(train, column, train_rows) for column in inputs]
    first, second = finish(
        (_encode(columns, train, train_rows), labels),
        (_encode(columns, test, test_rows), test_labels if test_labels is not None else labels),
        names,
        name=name,
        card=card,
    )
    features = [feature for column in columns for feature in column.features]
    first.columns = second.columns = tuple(features)
    assert isinstance(first.inputs, Tensor)
    words = [column.words is not None for column in columns for _feature in column.features]
    first.preprocess = second.preprocess = prepare_features(first.inputs, words)
    return first, second


class _Encoder:
    """From one column to one input (numbers) or one input per different word of the training rows."""

    def __init__(self, table: Table, name: str, rows: Tensor) -> None:
        self.name = name
        values = table.columns[name]
        self.words: list[str] | None = None
        self.features = [name]
        if isinstance(values, list):
            different = {str(values[index]) for index in rows.tolist() if values[index] is not None}
            if len(different) > MOST_WORDS or (len(different) > 20 and len(different) > len(rows) / 2):
                raise TooManyWords(column=name, count=len(different))
            self.words = sorted(different)
            self.features = [f"{name}={word}" for word in self.words]

    def encode(self, table: Table, rows: Tensor) -> NDArray[np.float32]:
        values = table.columns[self.name]
        if self.words is None:
            return self._numbers(table, values, rows)
        known = {word: position for position, word in enumerate(self.words)}
        encoded = np.zeros((len(rows), len(known)), np.float32)
        for index, number in enumerate(rows.tolist()):
            word = values[number]
            if word is None:
                raise MissingValue(place=table.place(number), column=self.name)
            if str(word) in known:  # a word that training never saw is none of the known ones: all zeros
                encoded[index, known[str(word)]] = 1
        return encoded

    def _numbers(self, table: Table, values: Column, rows: Tensor) -> NDArray[np.float32]:
        if isinstance(values, list):
            raise NotNumbers(kind=_("words in column “{column}” of the test table", column=self.name))
        wanted = values[rows.numpy()]
        bad = np.flatnonzero(np.isnan(wanted))
        if len(bad):
            raise MissingValue(place=table.place(int(rows[bad[0]])), column=self.name)
        with np.errstate(over="ignore"):
            numbers: NDArray[np.float32] = wanted.astype(np.float32)
        bad = np.flatnonzero(~np.isfinite(numbers))
        if len(bad):
            raise NotFinite(place=table.place(int(rows[bad[0]])), column=self.name, value=wanted[bad[0]])
        return numbers[:, np.newaxis]


def _encode(columns: list[_Encoder], table: Table, rows: Tensor) -> Tensor:
    return torch.from_numpy(np.concatenate([column.encode(table, rows) for column in columns], axis=1))


def _targets(table: Table, target: str, classes: Sequence[str] | None) -> tuple[NDArray[Any], list[str] | None]:
    """The target column as words, and the names of the classes in the order of their values where it holds numbers.

    Where classes are given, numbers stay numbers: positions in them.
    """
    values = table.columns[target]
    missing = [value is None for value in values] if isinstance(values, list) else np.isnan(values)
    if np.any(missing):
        raise MissingValue(place=table.place(int(np.argmax(missing))), column=target)
    if isinstance(values, list):
        if (count := len(set(values))) > MOST_CLASSES:
            raise LabelsNotClasses(found=_("{count} different texts in column “{column}”", count=count, column=target))
        return np.array(values, dtype=object), None
    if classes is not None:
        return values, None
    if target in table.truths:
        return np.array([str(bool(value)) for value in values], dtype=object), ["False", "True"]
    different = np.unique(values)
    whole = bool(np.all(different == np.rint(different)))
    if len(different) > MOST_WORDS or (not whole and len(different) > 20):
        raise LabelsNotClasses(
            found=_("{count} different numbers in column “{column}”", count=len(different), column=target)
        )
    return np.array([f"{value:.15g}" for value in values], dtype=object), [f"{value:.15g}" for value in different]


def read_frame(frame: Any) -> Table:
    """A pandas DataFrame; errors name a row by its index."""
    columns: dict[str, Column] = {}
    truths = set()
    for position, name in enumerate(frame.columns):
        series = frame.iloc[:, position]
        if str(name) in columns:
            raise SameName(name=name)
        kind = getattr(series.dtype, "kind", "O")
        if kind in "biuf" and str(series.dtype) != "category":
            columns[str(name)] = series.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            missing = series.isna().to_numpy()
            values = [None if gone else value for value, gone in zip(series.tolist(), missing, strict=True)]
            plain = [None if value is None else str(value) for value in values]
            columns.update({str(name): plain} if str(series.dtype) != "object" else columns_of(str(name), values))
        if kind == "b":
            truths.add(str(name))
    index = frame.index.tolist()
    return Table(columns, len(frame), lambda number: row(index[number]), frozenset(truths))


def columns_of(name: str, values: list[Any]) -> dict[str, Column]:
    """A column of Python values, None where one is missing: numbers, words, or one column per place of equal lists.

    Raises:
        NotNumbers: Lists of something else than numbers, or of different lengths.
    """
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, (bool, int, float, np.number)) for value in known):
        return {name: np.array([np.nan if value is None else value for value in values], dtype=np.float64)}
    if known and all(isinstance(value, (list, tuple, np.ndarray)) for value in known):
        try:
            array = np.array(values, dtype=np.float64)
        except (TypeError, ValueError):
            array = np.empty(0)
        if array.ndim != 2:
            raise NotNumbers(kind=_("lists in column “{column}”", column=name))
        return {f"{name}[{place}]": array[:, place] for place in range(array.shape[1])}
    return {name: [None if value is None else str(value) for value in values]}


def read_csv(path: Path) -> Table:
    """A CSV file: names in the first line; comma, semicolon, tab or | between; UTF-8. Errors name the line.

    Columns without a name are left out where they are empty, or number the rows as pandas and R do.

    Raises:
        UnreadableTable: It is not one table.
        NotUtf8: It is in another encoding.
    """
    # Row by row, with no limit that a real table reaches: one row of all of a large file would fill the memory.
    with path.open("rb") as binary, io.TextIOWrapper(binary, encoding="utf-8-sig", newline="") as stream:
        try:
            head = stream.read(_LONGEST_LINE)
            told = re.match(r"sep=(.)\r?\n", head, re.IGNORECASE)  # Excel's own word on what stands between
            above = 0 if told is None else 1
            separator = _separator(head) if told is None else told[1]
            stream.seek(0)
            if told is not None:
                stream.readline()
            rows, lines = _rows(path, stream, separator, above)
        except UnicodeDecodeError as error:  # what it was at ends where the file was read to
            raise NotUtf8(path=path, byte=binary.tell() - len(error.object) + error.start) from error
    if len(rows) < 2:
        raise NoSamples(place=path)
    names = rows[0]
    seen = set()
    for name in names:
        if name and name in seen:
            raise UnreadableTable(path=path, line=lines[0], reason=_("two columns are called “{name}”", name=name))
        seen.add(name)
    cells_of = [list(cells) for cells in zip(*rows[1:], strict=True)]
    decimal = "," if separator == ";" else "."
    # Names that are numbers or stand again below them, as the classes of a table do, are the first row of values.
    if all(_number(name, decimal) is not None or name in cells for name, cells in zip(names, cells_of, strict=True)):
        raise UnreadableTable(path=path, line=lines[0], reason=_("it holds values instead of names of columns"))
    columns = {}
    for position, (name, cells) in enumerate(zip(names, cells_of, strict=True)):
        if name:
            columns[name] = _column(cells, decimal)
        elif any(cells) and (position or len(set(cells)) < len(cells) or not all(cell.isdigit() for cell in cells)):
            raise UnreadableTable(
                path=path, line=lines[0], reason=_("column {number} has no name", number=position + 1)
            )
    return Table(columns, len(rows) - 1, lambda number: _("line {line}", line=lines[number + 1]))


def _rows(path: Path, stream: io.TextIOWrapper, separator: str, above: int) -> tuple[list[list[str]], list[int]]:
    """The lines that say anything, as cells, and the number of each; all with as many cells as the first."""
    rows: list[list[str]] = []
    lines: list[int] = []
    known: dict[str, str] = {}  # a word that stands in many cells is kept once
    counted = 0  # of them
    room = 0.8 * psutil.virtual_memory().available
    length = 0  # of what was read since the last whole row

    def checked() -> Iterator[str]:
        nonlocal length
        while line := stream.readline(_LONGEST_LINE):
            length += len(line)  # a row may go over many lines, in quotes
            if length >= _LONGEST_LINE:
                raise csv.Error(_("the line is too long"))
            if length * _UNREAD > room:
                raise csv.Error(_("the table does not fit into the memory"))
            yield line

    reader = csv.reader(checked(), delimiter=separator, strict=True)
    try:
        for cells in reader:
            whole, length = length, 0
            if not any(cell.strip() for cell in cells):
                continue
            expected = len(rows[0]) if rows else min(len(cells), MOST_COLUMNS)
            if len(cells) != expected:
                raise csv.Error(_("{found} values instead of {expected}", found=len(cells), expected=expected))
            rows.append([known.setdefault(cell, cell) for cell in map(str.strip, cells)])
            lines.append(reader.line_num + above)
            room -= _ROW + _CELL * len(cells)
            if len(known) - counted > _WORDS_AT_ONCE or whole > _LONG:  # asked for each row, it would take longer
                room -= _weight(list(islice(reversed(known), len(known) - counted)))
                counted = len(known)
            if counted > _KNOWN:
                room += _ENTRY * counted
                known.clear()
                counted = 0
            if room < 0:
                raise csv.Error(_("the table does not fit into the memory"))
    except csv.Error as error:
        raise UnreadableTable(path=path, line=max(1, reader.line_num) + above, reason=error) from error
    return rows, lines


def _weight(words: list[str]) -> int:
    """Bytes in memory of words that are new in a dictionary."""
    text = "".join(words)
    characters = len(text) if text.isascii() else sum(map(sys.getsizeof, words))
    return (_WORD + _ENTRY) * len(words) + characters


def _separator(text: str) -> str:
    """What stands between the names of the columns: of the usual ones the most frequent, outside of quotes."""
    counts: Counter[str] = Counter()
    quoted = False
    for character in text.lstrip("\r\n"):
        quoted ^= character == '"'
        if not quoted and character in "\r\n":
            break
        counts[character] += not quoted
    return max(",;\t|", key=lambda one: counts[one])


def _column(cells: list[str], decimal: str) -> Column:
    """Numbers where every cell that says something is one; words otherwise."""
    said = [cell.lower() not in MISSING for cell in cells]
    numbers = [_number(cell, decimal) if says else np.nan for cell, says in zip(cells, said, strict=True)]
    if any(said) and None not in numbers:
        return np.array(numbers, dtype=np.float64)
    return [cell or None for cell in cells]


def _number(cell: str, decimal: str) -> float | None:
    if "_" in cell:  # Python reads 1_000 as a number; in a table it is a word
        return None
    try:
        return float(cell if decimal == "." else cell.replace(",", "."))
    except ValueError:
        return None
