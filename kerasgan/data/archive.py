"""Zip and tar archives as sources: read where they lie, nothing in them unpacked to the disk."""

import io
import lzma
import os
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from kerasgan.cli import UserError
from kerasgan.data.attributes import NO_ATTRIBUTES, TABLES, parse_attributes
from kerasgan.data.decode import Rejected
from kerasgan.data.source import Item, Raw, Source, find_labels, is_picture
from kerasgan.data.text import printable

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
MAX_FILE = 256 * 2**20  # bytes of one file in an archive; what claims more is no photograph

# What the standard library raises for archives that are cut, damaged or not what they claim.
BAD_ARCHIVE = (
    OSError,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
)


class Member(NamedTuple):
    """One picture file in an archive.

    Attributes:
        name: its path, cleaned: without "..", drives or a leading slash.
        size: bytes, unpacked.
        problem: why it need not be read, or None.
        info: the archive's own record of it.
    """

    name: str
    size: int
    problem: str | None
    info: Any


class ArchiveSource(Source):
    """The pictures in a zip or tar archive.

    Sorted by their paths, but for a compressed tar, which can only be read from its beginning
    to its end: there the archive's order holds. Folders of one class each give labels and a
    table of CelebA's gives attributes, as in `FolderSource`.

    Args:
        title: the archive, as the user named it.

    Raises:
        UserError: it cannot be read as an archive, or holds no picture file.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.path = os.path.expanduser(title)
        self.slug = Path(self.path).name.split(".")[0]
        status = os.stat(self.path)
        self._state = [status.st_size, status.st_mtime_ns]
        with _explained(title):
            self.members, table = self._list()
        if not self.members:
            raise UserError(
                "An archive of pictures should hold JPEG, PNG, WebP, BMP, GIF or TIFF files. "
                f"Received: {printable(title)}, with none."
            )
        self.count = len(self.members)
        self.label_names, self._labels = find_labels(member.name for member in self.members)
        self._attributes = parse_attributes(*table) if table else NO_ATTRIBUTES
        self.attribute_names = self._attributes.names

    def _list(self) -> tuple[list[Member], tuple[bytes, str] | None]:
        """Returns the picture members in order, and the attribute table's bytes and name."""
        raise NotImplementedError

    def _read_all(self) -> Iterator[Callable[[], Raw]]:
        """Yields for each member, in order, what fetches its bytes."""
        raise NotImplementedError

    def items(self) -> Iterator[Item]:
        with _explained(self.title):
            for number, fetch in enumerate(self._read_all()):
                name = self.members[number].name
                label = self._labels[number] if self._labels else -1
                yield Item(name, fetch, label, self._attributes.of(name))

    def state(self) -> list[Any]:
        return self._state

    def watched(self) -> list[str]:
        return [self.path]

    def notes(self) -> list[str]:
        return self._attributes.notes()


class ZipSource(ArchiveSource):
    """The pictures in a zip archive; members are read by any thread."""

    def _list(self) -> tuple[list[Member], tuple[bytes, str] | None]:
        with zipfile.ZipFile(self.path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            members = [
                Member(name, info.file_size, _zip_problem(info), info)
                for info in infos
                if wanted(name := clean(info.filename))
            ]
            tables = [info for info in infos if clean(info.filename).split("/")[-1] in TABLES]
            table = (archive.read(tables[0]), tables[0].filename) if tables else None
        return sorted(members, key=lambda member: member.name), table

    def _read_all(self) -> Iterator[Callable[[], Raw]]:
        self._archive = zipfile.ZipFile(self.path)
        for member in self.members:
            yield partial(_fetch_zipped, self._archive, member)

    def close(self) -> None:
        self._archive.close()


class TarSource(ArchiveSource):
    """The pictures in a tar archive, plain or compressed by gzip, bzip2 or xz."""

    def _list(self) -> tuple[list[Member], tuple[bytes, str] | None]:
        self._reading = threading.Lock()  # of the one file, by any thread
        members, table = [], None
        with tarfile.open(self.path) as archive:
            self._plain = isinstance(archive.fileobj, io.BufferedReader)  # not a decompressor
            for info in archive:
                name = clean(info.name)
                if wanted(name) and not info.isdir():
                    members.append(Member(name, info.size, _tar_problem(info), info.offset_data))
                elif table is None and info.isreg() and name.split("/")[-1] in TABLES:
                    file = archive.extractfile(info)
                    table = (file.read(MAX_FILE) if file else b"", info.name)
        return sorted(members, key=lambda m: m.name) if self._plain else members, table

    def _read_all(self) -> Iterator[Callable[[], Raw]]:
        self._file = open(self.path, "rb")
        if self._plain:
            for member in self.members:
                yield partial(self._fetch_at, member)
            return
        with tarfile.open(fileobj=self._file) as archive:
            files = (info for info in archive if wanted(clean(info.name)) and not info.isdir())
            for member, info in zip(self.members, files, strict=True):
                file = None if member.problem else archive.extractfile(info)
                yield partial(_fetch_read, member, file.read() if file else b"")

    def close(self) -> None:
        self._file.close()

    def _fetch_at(self, member: Member) -> bytes:
        if member.problem:
            raise Rejected(member.problem)
        with self._reading:
            self._file.seek(member.info)
            data = self._file.read(member.size)
        if len(data) < member.size:
            raise Rejected("damaged in the archive: it ends before the file does")
        return data


def open_archive(title: str) -> ArchiveSource:
    """Opens a zip or tar archive, told apart by their content.

    Raises:
        UserError: see `ArchiveSource`.
    """
    path = os.path.expanduser(title)
    with _explained(title):
        is_tar = not zipfile.is_zipfile(path) and not path.lower().endswith(".zip")
    return TarSource(title) if is_tar else ZipSource(title)


def clean(name: str) -> str:
    """Returns a path in an archive without what would lead elsewhere: "..", drives, a root."""
    parts = name.replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", ".", "..") and part[1:] != ":")


def wanted(name: str) -> bool:
    """Whether a path in an archive is a picture's, or another archive's, which is rejected."""
    parts = PurePosixPath(name).parts
    if any(part.startswith(".") or part == "__MACOSX" for part in parts):
        return False
    return is_picture(name) or name.lower().endswith(ARCHIVES)


def _problem(name: str, size: int) -> str | None:
    if name.lower().endswith(ARCHIVES):
        return "an archive inside the archive: unpack it"
    if not size:
        return "empty file"
    if size > MAX_FILE:
        return f"too large: {size:,} bytes"
    return None


def _zip_problem(info: zipfile.ZipInfo) -> str | None:
    if info.flag_bits & 0x1:
        return "encrypted: unpack the archive with its password"
    return _problem(info.filename, info.file_size)


def _tar_problem(info: tarfile.TarInfo) -> str | None:
    if not info.isreg() or info.issparse():
        return "not a file but a link or a device"
    return _problem(info.name, info.size)


def _fetch_zipped(archive: zipfile.ZipFile, member: Member) -> bytes:
    if member.problem:
        raise Rejected(member.problem)
    try:
        return archive.read(member.info)
    except BAD_ARCHIVE as error:
        raise Rejected(f"damaged in the archive: {_first_line(error)}") from error


def _fetch_read(member: Member, data: bytes) -> bytes:
    if member.problem:
        raise Rejected(member.problem)
    return data


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


@contextmanager
def _explained(title: str) -> Iterator[None]:
    """Turns what the standard library raises for damaged archives into a `UserError`."""
    try:
        yield
    except BAD_ARCHIVE as error:
        raise UserError(
            "An archive of pictures should be a whole zip or tar file. Received: "
            f"{printable(title)} ({printable(_first_line(error))}). Fetch or pack it again."
        ) from error
