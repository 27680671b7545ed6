"""A folder of picture files as a source."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kerasgan.data.kinds import BEGINS, PASSED_OVER, kind_of, looks_like_picture, why_not
from kerasgan.data.known import Known, find_known
from kerasgan.data.own import EXPORT, is_export, is_own_file, is_own_folder
from kerasgan.data.rows import (
    MAX_TABLE,
    TableFile,
    is_known_table,
    may_be_table,
    must_be_read,
    worth_reading,
)
from kerasgan.data.source import Item, Rejected, Source
from kerasgan.errors import UserError
from kerasgan.text import printable, quoted

WATCHED_FILES = 5_000  # of a folder; in a larger one, as many at even distances
HEAD = 4096  # bytes of a file that tell whether it is one of kerasgan's own


class Entry(NamedTuple):
    """One picture file, or something in its place that cannot be read.

    Attributes:
        name: the path below the folder, with forward slashes.
        size: bytes.
        changed: time of the last change, in nanoseconds.
        problem: why the file need not be opened, or None.
    """

    name: str
    size: int
    changed: int
    problem: str | None


@dataclass
class Looked:
    """What was met beside the pictures while a folder was looked through.

    Attributes:
        folders: those that were looked into, as paths.
        tables: files that may say something of the pictures, below the folder.
        exports: folders, below the folder, that may have been exported from it.
        own: what kerasgan itself has written there, below the folder; left out.
    """

    folders: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    exports: list[str] = field(default_factory=list)
    own: list[str] = field(default_factory=list)


class FolderSource(Source):
    """The pictures in a folder and its sub-folders, sorted by their paths.

    Sub-folders of one class each give labels, and tables beside the pictures give attributes or
    labels; see `known.find_known`. What kerasgan has written itself is left out: runs, caches,
    sheets, and what was exported from the folder.

    Args:
        title: the folder, as the user named it.
        skip: folders below it to leave out.

    Raises:
        UserError: it is no folder or a run's, there is no picture file in it, or a table cannot
            be read.
    """

    def __init__(self, title: str, skip: Iterable[Path] = ()) -> None:
        self.title = title
        self.folder = Path(os.path.expanduser(title))
        check_folder(title, self.folder)
        self.slug = self.folder.resolve().name
        self._looked = Looked()
        self.entries = list_pictures(self.folder, skip, self._looked)
        if not self.entries:
            raise UserError(
                "A folder of pictures should hold picture files, JPEG, PNG or WebP for example, "
                f"itself or in its sub-folders. Received: {printable(title)}, with none"
                f"{_but_own(self._looked)}.{_archives_in(self.folder)}"
            )
        self.count = len(self.entries)
        self._table_names = worth_reading(self._looked.tables)
        self._tables = [self.folder / name for name in self._table_names]
        self._known = self._find_known()
        self.label_names = self._known.label_names
        self.attribute_names = self._known.attribute_names

    def _find_known(self) -> Known:
        names = [entry.name for entry in self.entries]
        unusable = [number for number, entry in enumerate(self.entries) if entry.problem]
        return find_known(names, read_tables(self.folder, self._table_names), unusable)

    def items(self) -> Iterator[Item]:
        for number, entry in enumerate(self.entries):
            label, attributes = self._known.of(number)
            yield Item(entry.name, partial(self._path, entry), label, attributes)

    def groups(self) -> np.ndarray | None:
        return self._known.groups()

    def state(self) -> list[Any]:
        tables = [
            [name, *_stamp(path)]
            for name, path in zip(self._table_names, self._tables, strict=True)
        ]
        return [tables, *self.entries]

    def watched(self) -> list[str]:
        step = -(-self.count // WATCHED_FILES)
        files = [os.path.join(self.folder, entry.name) for entry in self.entries[::step]]
        return [*self._looked.folders, *map(os.fspath, self._tables), *files]

    def notes(self) -> list[str]:
        own = self._looked.own
        left_out = [f"{len(own):,} of kerasgan's own files and folders left out"] if own else []
        return self._known.notes + left_out

    def _path(self, entry: Entry) -> str:
        if entry.problem:
            raise Rejected(entry.problem)
        return os.path.join(self.folder, entry.name)


def check_folder(source: str, folder: Path) -> None:
    """Raises `UserError` unless `folder` is a folder that can be listed."""
    if not os.path.isdir(folder):
        raise UserError(
            "A folder of pictures should be a folder. Received: "
            f"{printable(source)}, which is none."
        )
    if not os.access(folder, os.R_OK | os.X_OK):
        raise UserError(
            "A folder of pictures should be readable. Received: "
            f"{printable(source)}, which may not be read."
        )


def list_pictures(
    folder: Path, skip: Iterable[Path] = (), looked: Looked | None = None
) -> list[Entry]:
    """Lists the picture files in a folder and its sub-folders, sorted by name.

    The order is that of the names' code points, the same on every machine. Hidden files and
    folders are left out, those that systems make, and what kerasgan has written; a folder that
    links lead to more than once is listed once.

    Args:
        folder: where to look.
        skip: folders below it to leave out.
        looked: is told what else was met.

    Raises:
        UserError: the folder is a run's.
    """
    looked = Looked() if looked is None else looked
    entries = sorted(walk(folder, skip, looked), key=lambda entry: entry.name)
    for export in looked.exports:
        names = {entry.name for entry in entries if not entry.name.startswith(export)}
        if is_export(export, _head(os.path.join(folder, export), EXPORT), names):
            entries = [entry for entry in entries if entry.name in names]
            looked.tables = [name for name in looked.tables if not name.startswith(export)]
            looked.own.append(export)
    return entries


def walk(folder: Path, skip: Iterable[Path] = (), looked: Looked | None = None) -> Iterator[Entry]:
    """Yields the entries of `list_pictures` as they are found, exports among them."""
    looked = Looked() if looked is None else looked
    seen = {_identity(path) for path in skip if os.path.exists(path)} - {_identity(folder)}
    waiting = [("", os.fspath(folder))]
    while waiting:
        prefix, path = waiting.pop()
        try:
            identity = _identity(path)
            if identity in seen:
                continue
            seen.add(identity)
            looked.folders.append(path)
            with os.scandir(path) as listing:
                found = sorted(listing, key=lambda item: item.name)
        except OSError as error:
            yield Entry(prefix, 0, 0, f"folder cannot be read: {error.strerror}")
            continue
        names = {item.name for item in found}
        if is_own_folder(names):
            if not prefix:
                raise _own_error(path)
            looked.folders.pop()  # a training changes it all the time
            looked.own.append(prefix)
            continue
        if prefix and EXPORT in names:
            looked.exports.append(prefix)
        yield from _entries(prefix, path, found, names, looked)
        folders = [item for item in found if _is_visible_folder(item)]
        waiting += [(f"{prefix}{item.name}/", item.path) for item in reversed(folders)]


def _entries(
    prefix: str, path: str, found: list[os.DirEntry[str]], names: set[str], looked: Looked
) -> Iterator[Entry]:
    """Yields the picture files right in a folder, and notes what else is there."""
    for item in found:
        if item.name.startswith(".") or _is_folder(item):
            continue
        if may_be_table(prefix + item.name) and _is_file(item):
            looked.tables.append(prefix + item.name)
        elif not _is_picture(item):
            continue
        elif is_own_file(item.name, names, partial(_head, path)):
            looked.own.append(prefix + item.name)
        else:
            yield _entry(prefix + item.name, item)


def _own_error(path: str) -> UserError:
    return UserError(
        "A folder of pictures should hold pictures to train on. Received: "
        f"{printable(path)}, which kerasgan has written itself: a run, or prepared pictures. Name "
        "the folder of the pictures."
    )


def _but_own(looked: Looked) -> str:
    if not looked.own:
        return ""
    named = ", ".join(looked.own[:3]) + (", ..." if len(looked.own) > 3 else "")
    return f" but what kerasgan has written itself ({printable(named)})"


def _head(folder: str, name: str) -> bytes:
    """Reads the beginning of a file; nothing of one that cannot be read."""
    path = os.path.join(folder, name)
    try:
        if os.path.isfile(path):
            with open(path, "rb") as file:
                return file.read(HEAD)
    except OSError:
        pass
    return b""


def read_tables(folder: Path, names: Iterable[str]) -> list[TableFile]:
    """Reads what may be tables, by their paths below a folder.

    Raises:
        UserError: one that is known by its name cannot be read.
    """
    return [TableFile(name, _read_table(folder / name), str(folder / name)) for name in names]


def _read_table(path: Path) -> bytes:
    """Reads a table; of others than those known by their names nothing that is too large.

    Raises:
        UserError: one that must be read cannot be.
    """
    try:
        if path.stat().st_size > MAX_TABLE and not is_known_table(path.name):
            return b""
        return path.read_bytes()
    except OSError as error:
        if not must_be_read(path.name):
            return b""
        raise UserError(
            f"An attribute table should be readable. Received: {printable(str(path))} "
            f"({error.strerror})."
        ) from error


def _archives_in(folder: Path) -> str:
    """Says which archive might have been meant, where pictures are missing."""
    found = sorted(path for path in folder.iterdir() if path.suffix in (".zip", ".tar", ".tgz"))
    return f" Type {quoted(found[0])} to read that archive." if found else ""


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _identity(path: str | Path) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _is_picture(item: os.DirEntry[str]) -> bool:
    """Whether a file counts as a picture; looks into it only where its name does not tell."""
    told = looks_like_picture(item.name)
    if told is not None:
        return told
    try:
        if not item.is_file():  # opening a pipe would wait for ever
            return False
        with open(item.path, "rb") as file:
            return kind_of(file.read(BEGINS)) is not None
    except OSError:
        return False


def _is_visible_folder(item: os.DirEntry[str]) -> bool:
    hidden = item.name.startswith(".") or item.name in PASSED_OVER
    return not hidden and _is_folder(item)


def _is_folder(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_dir()
    except OSError:  # a link that leads to itself, or into a folder that may not be read
        return False


def _is_file(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_file()
    except OSError:
        return False


def _entry(name: str, item: os.DirEntry[str]) -> Entry:
    try:
        status = item.stat()
    except OSError as error:  # a link to nothing, above all
        return Entry(name, 0, 0, f"cannot be read: {error.strerror}")
    problem = why_not(name)
    if not item.is_file():
        problem = "not a file but a pipe or a device"
    elif not status.st_size:
        problem = "empty file"
    elif not os.access(item.path, os.R_OK):  # in the key, so that `chmod` is noticed
        problem = "no permission to read it"
    return Entry(name, status.st_size, status.st_mtime_ns, problem)
