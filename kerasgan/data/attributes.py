"""Attribute tables as CelebA has them, a comma-separated or a plain one, read and written."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

import numpy as np

from kerasgan.errors import UserError
from kerasgan.text import printable

EXPORTED = "list_attr.csv"  # what `export` writes
TABLES = ("list_attr_celeba.csv", "list_attr_celeba.txt", EXPORTED)
NOT_KNOWN = 2  # stands for an empty value until it is clear what 0 means
MEANINGS = {"1": 1, "-1": -1, "0": 0, "true": 1, "false": -1, "1.0": 1, "-1.0": -1, "0.0": 0}
MEANINGS[""] = NOT_KNOWN


class Attributes:
    """The rows of an attribute table, by the file name of the picture.

    Attributes:
        names: of the attributes.
        used: how many rows were asked for.
        bad_rows: how many rows could not be read.
    """

    def __init__(self, names: Sequence[str], rows: dict[str, np.ndarray], bad_rows: int) -> None:
        self.names = list(names)
        self.bad_rows = bad_rows
        self._rows = rows
        self._unknown = np.zeros(len(names), np.int8)
        self._asked: set[str] = set()

    def of(self, name: str) -> np.ndarray:
        """Returns int8 (A,): 1 yes, -1 no, 0 not known; all 0 for a picture without a row."""
        base = PurePosixPath(name).name
        row = self._rows.get(base)
        if row is None:
            return self._unknown
        self._asked.add(base)
        return row

    def notes(self) -> list[str]:
        """Returns what is odd about the table, a phrase each, once every picture was asked for."""
        unused = len(self._rows) - len(self._asked)
        found = {"rows name no picture": unused, "rows could not be read": self.bad_rows}
        return [f"{count:,} attribute {what}" for what, count in found.items() if count]


NO_ATTRIBUTES = Attributes([], {}, 0)


def parse_attributes(data: bytes, name: str) -> Attributes:
    """Reads an attribute table.

    A header names the attributes, the first column the pictures. The plain form may begin with
    a line that counts its rows, and its header leaves the first column out. Values are 1 and
    -1, or empty where that is not known; in a table without any -1, 0 means no, else not known.
    Rows of another length or with other values are left out and counted.

    Args:
        data: the file.
        name: of the file, for messages.

    Raises:
        UserError: it is no such table.
    """
    text = data.decode("utf-8-sig", "replace")
    comma = "," in "".join(text.splitlines()[:2])
    table = _read_rows(text, comma, name)
    if table and len(table[0]) == 1 and table[0][0].isdigit():
        del table[0]
    header = table.pop(0) if table else []
    if comma or (table and len(table[0]) == len(header)):
        del header[:1]
    names = [word.strip() for word in header]
    usable = names and all(name and name.isprintable() for name in names)
    if not usable or len(set(names)) < len(names):
        raise UserError(
            "An attribute table should begin with a header of names, each once. Received: "
            f"{printable(name)}, which does not. Mend or remove it."
        )
    return _attributes(names, table)


def header_row(names: Iterable[str]) -> list[str]:
    """Returns the header of the table that `export` writes."""
    return ["image_id", *names]


def _read_rows(text: str, comma: bool, name: str) -> list[list[str]]:
    lines = io.StringIO(text, newline="")
    try:
        return [row for row in (csv.reader(lines) if comma else map(str.split, lines)) if row]
    except csv.Error as error:
        raise UserError(
            f"An attribute table should be a text file of rows. Received: {printable(name)} "
            f"({printable(str(error))}). Mend or remove it."
        ) from error


def _attributes(names: Sequence[str], table: list[list[str]]) -> Attributes:
    rows: dict[str, np.ndarray] = {}
    bad_rows = 0
    for image, *values in table:
        meanings = [MEANINGS.get(value.strip().lower()) for value in values]
        if len(values) != len(names) or None in meanings:
            bad_rows += 1
        else:
            rows[PurePosixPath(image.replace("\\", "/")).name] = np.array(meanings, np.int8)
    zero = 0 if any((row == -1).any() for row in rows.values()) else -1
    for row in rows.values():
        row[row == 0] = zero
        row[row == NOT_KNOWN] = 0
    return Attributes(names, rows, bad_rows)
