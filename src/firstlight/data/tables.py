"""Tables: CSV files and DataFrames. Numbers are inputs as they are; each different word of a column becomes an input.

Shapes: N rows, F features.
"""

import csv
import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from firstlight.data.card import Card
from firstlight.data.dataset import Dataset, stratified_split
from firstlight.data.errors import (
    LabelsNotClasses,
    MissingValue,
    NoSamples,
    NoSuchColumn,
    NotFinite,
    NotNumbers,
    NotUtf8,
    ShapesDiffer,
    TargetNeeded,
    TooManyWords,
    UnreadableTable,
)
from firstlight.data.preprocess import prepare_features
from firstlight.data.samples import finish, row, to_labels
from firstlight.locale import _

MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "?", "-", "<na>"))
MOST_WORDS = 100
Column = NDArray[np.float64] | list[str | None]  # numbers, or words with None where one is missing


@dataclass
class Table:
    """Columns by name, all of one length, and how to name a row in an error."""

    columns: dict[str, Column]
    count: int
    place: Callable[[int], str]


def load_tables(
    train: Table,
    test: Table | None,
    *,
    target: str | None,
    ignore: Sequence[str],
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
        name: What the dataset is called.
        card: What is known about it.
        share: Share for a test split, where there is none.
        seed: Which rows are split off.
    """
    names = list(train.columns)
    if train.count == 0:
        raise NoSamples(place=name)
    if target is None:
        raise TargetNeeded(columns=", ".join(names), nearest=names[-1])
    for wanted in [target, *ignore]:
        if wanted not in train.columns:
            near = difflib.get_close_matches(str(wanted), names, n=1, cutoff=0.0)
            raise NoSuchColumn(column=wanted, columns=", ".join(names), nearest=near[0] if near else names[-1])
    inputs = [column for column in names if column != target and column not in ignore]
    if test is not None:
        for column in [*inputs, target]:
            if column not in test.columns:
                raise NoSuchColumn(column=column, columns=", ".join(test.columns), nearest=next(iter(test.columns)))
        if test.count == 0:
            raise NoSamples(place=name)
    if not inputs:
        raise ShapesDiffer(first=name, first_shape=(train.count, 0), other=_("a dataset"), other_shape=("N", "F"))
    targets, known = _targets(train, target)
    test_targets = None if test is None else _targets(test, target)[0]
    labels, test_labels, classes = to_labels(targets, test_targets, known, train.place)
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
        classes,
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


def _targets(table: Table, target: str) -> tuple[NDArray[Any], list[str] | None]:
    """The target column as words, and the names of the classes in the order of their values where it holds numbers."""
    values = table.columns[target]
    missing = [value is None for value in values] if isinstance(values, list) else np.isnan(values)
    if np.any(missing):
        raise MissingValue(place=table.place(int(np.argmax(missing))), column=target)
    if isinstance(values, list):
        return np.array(values, dtype=object), None
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
    for position, name in enumerate(frame.columns):
        series = frame.iloc[:, position]
        if str(name) in columns:
            raise UnreadableTable(path="DataFrame", line=0, reason=_("two columns are called “{name}”", name=name))
        kind = getattr(series.dtype, "kind", "O")
        if kind in "biuf" and str(series.dtype) != "category":
            columns[str(name)] = series.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            missing = series.isna().to_numpy()
            words = [str(value) for value in series.tolist()]
            columns[str(name)] = [None if gone else word for word, gone in zip(words, missing, strict=True)]
    index = frame.index.tolist()
    return Table(columns, len(frame), lambda number: row(index[number]))


def read_csv(path: Path) -> Table:
    """A CSV file: names in the first line; comma, semicolon or tab between; UTF-8. Errors name the line.

    Raises:
        UnreadableTable: It is not one table.
        NotUtf8: It is in another encoding.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotUtf8(path=path, byte=error.start) from error
    first = text.split("\n", 1)[0]
    separator = max(",;\t|", key=first.count)
    reader = csv.reader(text.splitlines(keepends=True), delimiter=separator, strict=True)
    rows, lines = [], []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append([cell.strip() for cell in cells])
                lines.append(reader.line_num)
    except csv.Error as error:
        raise UnreadableTable(path=path, line=reader.line_num, reason=error) from error
    if len(rows) < 2:
        raise NoSamples(place=path)
    names = rows[0]
    if all(_number(name, ".") is not None for name in names):
        raise UnreadableTable(path=path, line=lines[0], reason=_("it holds numbers instead of names of columns"))
    for position, name in enumerate(names):
        if name in names[:position]:
            raise UnreadableTable(path=path, line=lines[0], reason=_("two columns are called “{name}”", name=name))
    for cells, line in zip(rows, lines, strict=True):
        if len(cells) != len(names):
            reason = _("{found} values instead of {expected}", found=len(cells), expected=len(names))
            raise UnreadableTable(path=path, line=line, reason=reason)
    decimal = "," if separator == ";" else "."
    columns = {name: _column([cells[i] for cells in rows[1:]], decimal) for i, name in enumerate(names)}
    return Table(columns, len(rows) - 1, lambda number: _("line {line}", line=lines[number + 1]))


def _column(cells: list[str], decimal: str) -> Column:
    """Numbers where every cell that says something is one; words otherwise."""
    said = [cell.lower() not in MISSING for cell in cells]
    numbers = [_number(cell, decimal) if says else np.nan for cell, says in zip(cells, said, strict=True)]
    if any(said) and None not in numbers:
        return np.array(numbers, dtype=np.float64)
    return [cell or None for cell in cells]


def _number(cell: str, decimal: str) -> float | None:
    try:
        return float(cell if decimal == "." else cell.replace(",", "."))
    except ValueError:
        return None
