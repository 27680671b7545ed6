"""A folder of picture files as a source."""

import os
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from kerasgan.data.attributes import NO_ATTRIBUTES, TABLES, Attributes, parse_attributes
from kerasgan.data.decode import Rejected
from kerasgan.data.source import Item, Source, find_labels, is_picture
from kerasgan.errors import UserError
from kerasgan.text import printable, quoted

WATCHED_FILES = 5_000  # of a folder; in a larger one, as many at even distances


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


class FolderSource(Source):
    """The pictures in a folder and its sub-folders, sorted by their paths.

    Sub-folders of one class each give labels, and an attribute table of CelebA's, in the folder
    itself or in one right below it, gives attributes.

    Args:
        title: the folder, as the user named it.
        skip: folders below it to leave out.

    Raises:
        UserError: it is no folder, there is no picture file in it, or its attribute table
            cannot be read.
    """

    def __init__(self, title: str, skip: Iterable[Path] = ()) -> None:
        self.title = title
        self.folder = Path(os.path.expanduser(title))
        check_folder(title, self.folder)
        self.slug = self.folder.resolve().name
        self._folders: list[str] = []
        self.entries = list_pictures(self.folder, skip, self._folders)
        if not self.entries:
            raise UserError(
                "A folder of pictures should hold JPEG, PNG, WebP, BMP, GIF or TIFF files, itself "
                f"or in its sub-folders. Received: {printable(title)}, with none."
                f"{_archives_in(self.folder)}"
            )
        self.count = len(self.entries)
        self.label_names, self._labels = find_labels(entry.name for entry in self.entries)
        self._table = find_table(self.folder)
        self._attributes = read_attributes(self._table)
        self.attribute_names = self._attributes.names

    def items(self) -> Iterator[Item]:
        for number, entry in enumerate(self.entries):
            yield Item(
                entry.name,
                partial(self._path, entry),
                self._labels[number] if self._labels else -1,
                self._attributes.of(entry.name),
            )

    def state(self) -> list[Any]:
        table = self._table and [self._table.name, *_stamp(self._table)]
        return [table, *self.entries]

    def watched(self) -> list[str]:
        step = -(-self.count // WATCHED_FILES)
        files = [os.path.join(self.folder, entry.name) for entry in self.entries[::step]]
        table = [os.fspath(self._table)] if self._table else []
        return [*self._folders, *table, *files]

    def notes(self) -> list[str]:
        return self._attributes.notes()

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
    folder: Path, skip: Iterable[Path] = (), visited: list[str] | None = None
) -> list[Entry]:
    """Lists the picture files in a folder and its sub-folders, sorted by name.

    The order is that of the names' code points, the same on every machine. Hidden files and
    folders are left out; a folder that links lead to more than once is listed once.

    Args:
        folder: where to look.
        skip: folders below it to leave out.
        visited: the folders that were looked into are appended to it.
    """
    return sorted(walk(folder, skip, visited), key=lambda entry: entry.name)


def walk(
    folder: Path, skip: Iterable[Path] = (), visited: list[str] | None = None
) -> Iterator[Entry]:
    """Yields the entries of `list_pictures` as they are found."""
    seen = {_identity(path) for path in skip if os.path.exists(path)} - {_identity(folder)}
    waiting = [("", os.fspath(folder))]
    while waiting:
        prefix, path = waiting.pop()
        try:
            identity = _identity(path)
            if identity in seen:
                continue
            seen.add(identity)
            if visited is not None:
                visited.append(path)
            with os.scandir(path) as listing:
                found = sorted(listing, key=lambda item: item.name)
        except OSError as error:
            yield Entry(prefix, 0, 0, f"folder cannot be read: {error.strerror}")
            continue
        for item in found:
            if is_picture(item.name) and not item.name.startswith(".") and not _is_folder(item):
                yield _entry(prefix + item.name, item)
        folders = [item for item in found if _is_visible_folder(item)]
        waiting += [(f"{prefix}{item.name}/", item.path) for item in reversed(folders)]


def find_table(folder: Path) -> Path | None:
    """Returns the attribute table in a folder, or in one right below it; None without one."""
    places = [folder, *sorted(path for path in folder.iterdir() if os.path.isdir(path))]
    found = (place / name for place in places for name in TABLES)
    return next((path for path in found if os.path.isfile(path)), None)  # False where unreadable


def read_attributes(table: Path | None) -> Attributes:
    """Reads an attribute table; without one there are no attributes.

    Raises:
        UserError: it cannot be read.
    """
    if table is None:
        return NO_ATTRIBUTES
    try:
        return parse_attributes(table.read_bytes(), str(table))
    except OSError as error:
        raise UserError(
            f"An attribute table should be readable. Received: {printable(str(table))} "
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


def _is_visible_folder(item: os.DirEntry[str]) -> bool:
    return not item.name.startswith(".") and _is_folder(item)


def _is_folder(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_dir()
    except OSError:  # a link that leads to itself, or into a folder that may not be read
        return False


def _entry(name: str, item: os.DirEntry[str]) -> Entry:
    try:
        status = item.stat()
    except OSError as error:  # a link to nothing, above all
        return Entry(name, 0, 0, f"cannot be read: {error.strerror}")
    problem = None
    if not item.is_file():
        problem = "not a file but a pipe or a device"
    elif not status.st_size:
        problem = "empty file"
    elif not os.access(item.path, os.R_OK):  # in the key, so that `chmod` is noticed
        problem = "no permission to read it"
    return Entry(name, status.st_size, status.st_mtime_ns, problem)
