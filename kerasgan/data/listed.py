"""A text file that lists paths of pictures as a source."""

import csv
import math
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kerasgan.data.classes import Classes, numbered
from kerasgan.data.folder import WATCHED_FILES, read_tables
from kerasgan.data.known import find_known
from kerasgan.data.rows import ENDINGS as TABLES
from kerasgan.data.rows import TableFile, decode_text, is_known_table, read_rows
from kerasgan.data.source import Item, Rejected, Source
from kerasgan.errors import UserError
from kerasgan.text import plural, printable

LISTS = (".txt", ".lst", ".list", *TABLES)
MAX_LIST = 256 * 2**20  # bytes
BEGIN = 2**17  # bytes in which the first row of a table ends
LEAST_SIDE = 8  # pixels of a picture written as words
COMMENT = "#"
PROBED = 200  # rows of a table, at even distances, that tell which column has the paths
SEPARATORS = ("\t", ",", " ")  # between a path and its class


class Line(NamedTuple):
    """One picture of a list.

    Attributes:
        name: its path as it is listed, with forward slashes.
        path: where it lies, or where it would.
        label: its class, None for none.
        stamp: size in bytes and time of the last change in ns; empty without a file.
        problem: why it need not be opened, or None.
    """

    name: str
    path: str
    label: str | None
    stamp: tuple[int, ...]
    problem: str | None


class ListSource(Source):
    """The pictures that a text file lists, a path a line, in its order.

    Paths are those from the list's own folder, else from the working folder. Lines that are empty
    or begin with "#" are passed over, and a class may follow a path, behind a tab, a comma or a
    space. Without any, folders of one class each and tables beside the list tell of the pictures
    as in `FolderSource`. A list may be such a table itself, .csv, .tsv or .jsonl, of which one
    column has the paths.

    Args:
        title: the list, as the user named it.

    Raises:
        UserError: it cannot be read, or names no file.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self._list = os.path.expanduser(title)
        self.slug = Path(self._list).stem
        places = [os.path.dirname(self._list), ""]
        data = _read(self._list, title)
        is_table = self._list.lower().endswith(TABLES)
        texts = _column(data, title, places) if is_table else _texts(data)
        found = [_find(text, places) for text in texts]
        once: dict[str, Line] = {}
        for line in found:
            once.setdefault(os.path.normpath(line.path), line)
        self._lines = list(once.values())
        self._again = len(found) - len(self._lines)
        if not any(line.stamp for line in self._lines):
            raise _none(title, texts)
        self.count = len(self._lines)
        folder = Path(os.path.dirname(self._list) or ".")
        beside = sorted(name for name in os.listdir(folder) if is_known_table(name))
        self._tables = [folder / name for name in beside if (folder / name).is_file()]
        self._tables = [path for path in self._tables if path.name != Path(self._list).name]
        tables = read_tables(folder, [path.name for path in self._tables])
        if is_table:
            tables.insert(0, TableFile(Path(self._list).name, data, title))
        unusable = [number for number, line in enumerate(self._lines) if line.problem]
        self._known = find_known([line.name for line in self._lines], tables, unusable)
        if not is_table:
            self._take_labels()
        self.label_names = self._known.label_names
        self.attribute_names = self._known.attribute_names

    def _take_labels(self) -> None:
        """Takes the classes that the list names, if it does."""
        told = [line.label for line in self._lines]
        names = sorted({label for label in told if label is not None})
        if len(names) > 1:
            classes = Classes(names, numbered(told, names), [])
            self._known.label_names, self._known.labels = classes.names, classes.labels

    def items(self) -> Iterator[Item]:
        for number, line in enumerate(self._lines):
            label, attributes = self._known.of(number)
            yield Item(line.name, partial(_path, line), label, attributes)

    def groups(self) -> np.ndarray | None:
        return self._known.groups()

    def state(self) -> list[Any]:
        tables = [
            [path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in self._tables
        ]
        return [tables, *self._lines]

    def watched(self) -> list[str]:
        folders = list(dict.fromkeys(os.path.dirname(line.path) or "." for line in self._lines))
        step = -(-self.count // WATCHED_FILES)
        files = [line.path for line in self._lines[::step]]
        return [self._list, *map(os.fspath, self._tables), *folders[:WATCHED_FILES], *files]

    def notes(self) -> list[str]:
        again = [f"{plural(self._again, 'line')} for pictures listed before"] if self._again else []
        return self._known.notes + again


def _read(path: str, title: str) -> bytes:
    """Reads a list.

    Raises:
        UserError: it is none.
    """
    with open(path, "rb") as file:
        _refuse_pixels(file.read(BEGIN), title)
    if os.path.getsize(path) > MAX_LIST:
        raise UserError(
            "A list of pictures should be a text file with a path a line. Received: "
            f"{printable(title)}, which is too large for one."
        )
    with open(path, "rb") as file:
        return file.read()


def _texts(data: bytes) -> list[str]:
    """Returns a list's lines, but for empty ones and comments."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = decode_text(data)
    else:
        text = data.decode("utf-8-sig", "surrogateescape")  # as the names of files
    lines = (line.strip().strip("\"'") for line in text.splitlines())
    return [line for line in lines if line and not line.startswith(COMMENT)]


def _column(data: bytes, title: str, places: Sequence[str]) -> list[str]:
    """Returns the column of a table that has the paths: the one of which most are files.

    Raises:
        UserError: it is no table.
    """
    rows = read_rows(TableFile(os.path.basename(title), data, title))
    if rows is None or not rows.rows:
        return []
    some = rows.rows[:: -(-len(rows.rows) // PROBED)]
    counts = [
        sum(bool(_find(row[number], places).stamp) for row in some)
        for number in range(len(rows.header))
    ]
    column = counts.index(max(counts))
    return [row[column] for row in rows.rows]


def _find(text: str, places: Sequence[str]) -> Line:
    """Finds the file that a line names, with the class behind it if there is one."""
    for name, label in _readings(text):
        for place in places:
            path = os.path.join(place, os.path.expanduser(name))
            try:
                status = os.stat(path)
            except (OSError, ValueError):  # nothing there, or a name that no file can have
                continue
            if os.path.isfile(path):
                stamp = status.st_size, status.st_mtime_ns
                problem = None if status.st_size else "empty file"
                return Line(name.replace(os.sep, "/"), path, label, stamp, problem)
    problem = "an address, not a path: download it" if "://" in text else "no such file"
    if os.path.isdir(os.path.join(places[0], text)):
        problem = "a folder, not a picture"
    return Line(text, os.path.join(places[0], text), None, (), problem)


def _readings(text: str) -> Iterator[tuple[str, str | None]]:
    """Yields what a line may mean: paths with a class or without."""
    spellings = [text]
    if text != text.encode("utf-8", "ignore").decode():  # of another encoding, Windows' perhaps
        spellings.append(text.encode("utf-8", "surrogateescape").decode("cp1252", "replace"))
    spellings += [spelling.replace("\\", "/") for spelling in spellings if "\\" in spelling]
    for spelling in spellings:
        yield spelling, None
    for spelling in spellings:
        for separator in SEPARATORS:
            name, found, label = spelling.rpartition(separator)
            if found and name.strip() and label.strip():
                yield name.strip().strip("\"'"), label.strip().strip("\"'")


def _refuse_pixels(begin: bytes, title: str) -> None:
    """Raises UserError for a table of pixels in words, as FER2013 is: it is an array by right.

    Args:
        begin: its first bytes, with a whole row in them.
        title: of the table.
    """
    try:
        rows = list(csv.reader(begin.decode(errors="replace").splitlines()[:2]))
    except csv.Error:
        return
    header, row = rows if len(rows) == 2 else ([], [])
    for name, text in zip(header, row, strict=False):
        words = text.split()
        side = math.isqrt(len(words))
        if side >= LEAST_SIDE and side**2 == len(words) and all(map(str.isdecimal, words)):
            raise UserError(
                "Pictures in numbers should be an array. Received: "
                f"{printable(title)}, a table with {side}x{side} pixels in each row of its column "
                f"{printable(name)}. Save np.stack([np.array(row.split(), 'uint8') for row in "
                f"column]).reshape(-1, {side}, {side}) by np.save."
            )


def _path(line: Line) -> str:
    if line.problem:
        raise Rejected(line.problem)
    return line.path


def _none(title: str, texts: Sequence[str]) -> UserError:
    rule = "A list of pictures should be a text file with a path a line, from its own folder or "
    what = f"none of whose lines names a file: {texts[0][:80]}" if texts else "which is empty"
    return UserError(f"{rule}from the working folder. Received: {printable(f'{title}, {what}')}.")
