"""What is known of each prepared picture: where it came from, its class, its attributes.

`pictures.csv` has a row for each picture: its number, its name in the source, its label where
the source has classes, then 1, -1 or 0 (not known) for each attribute, as CelebA writes them.
"""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kerasgan.files import Damaged, reading
from kerasgan.text import first_line

NUMBER, NAME, LABEL = "picture", "name", "label"


class Table(NamedTuple):
    """The rows of `pictures.csv`, in the pictures' order.

    Attributes:
        names: of the pictures in their source.
        label_names: the classes, in the source's order; none where there are no labels.
        labels: int32 (N,), indices into `label_names`, -1 for none.
        attribute_names: the attributes; none where there are none.
        attributes: int8 (N, A): 1 yes, -1 no, 0 not known.
    """

    names: list[str]
    label_names: list[str]
    labels: np.ndarray
    attribute_names: list[str]
    attributes: np.ndarray


class TableWriter:
    """Writes the rows of `pictures.csv` one by one."""

    def __init__(self, rows: Any, label_names: Sequence[str]) -> None:
        self._rows = rows
        self._label_names = label_names
        self.count = 0

    def append(self, name: str, label: int, attributes: Sequence[int] | np.ndarray) -> None:
        """Writes one picture's row."""
        labels = []
        if self._label_names:
            labels = [self._label_names[label] if label >= 0 else ""]
        self._rows.writerow([self.count, name, *labels, *attributes])
        self.count += 1


@contextmanager
def table_writer(
    path: Path, label_names: Sequence[str] = (), attribute_names: Sequence[str] = ()
) -> Iterator[TableWriter]:
    """Gives a `TableWriter` for a new `pictures.csv`, which has its header already."""
    with open(path, "x", encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(header(label_names, attribute_names))
        yield TableWriter(rows, label_names)


def header(label_names: Sequence[str], attribute_names: Sequence[str]) -> list[str]:
    """Returns the names of the columns."""
    return [NUMBER, NAME, *([LABEL] if label_names else []), *attribute_names]


def read_table(path: Path, label_names: Sequence[str]) -> Table:
    """Reads a `pictures.csv`.

    Args:
        path: the file.
        label_names: the classes, in the source's order.

    Raises:
        Damaged: it is not what was written.
    """
    rows = _read_rows(path)
    columns = next(rows, [])
    first = 3 if label_names else 2  # column of the first attribute
    index = {name: number for number, name in enumerate(label_names)} | {"": -1}
    names, labels, attributes = [], [], []
    for number, row in enumerate(rows):
        if not first <= len(row) == len(columns):
            raise Damaged(f"row {number} has {len(row)} values")
        if label_names and row[2] not in index:
            raise Damaged(f"row {number} has the unknown label {row[2]}")
        names.append(row[1])
        labels.append(index[row[2]] if label_names else -1)
        attributes.append(_to_signs(row[first:]))
    known = columns[first:]
    return Table(
        names,
        list(label_names),
        np.array(labels, np.int32),
        known,
        np.array(attributes, np.int8).reshape(len(names), len(known)),
    )


def _read_rows(path: Path) -> Iterator[list[str]]:
    with reading():
        file = open(path, encoding="utf-8", errors="surrogateescape", newline="")
    with file:
        rows = csv.reader(file)
        while True:
            try:  # without `reading`, whose time would count for 200,000 rows
                row = next(rows, None)
            except (OSError, csv.Error) as error:
                raise Damaged(first_line(error)) from error
            if row is None:
                return
            yield row


def _to_signs(values: list[str]) -> np.ndarray:
    try:
        return np.array(values, np.int8)
    except (ValueError, OverflowError) as error:
        raise Damaged(first_line(error)) from error
