"""Zip and tar archives as sources: read where they lie, nothing in them unpacked to the disk."""

import io
import os
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from kerasgan.data.kinds import BEGINS, is_hidden, kind_of, looks_like_picture, why_not
from kerasgan.data.known import find_known
from kerasgan.data.own import find_own, is_told_by
from kerasgan.data.rows import (
    MAX_TABLE,
    TableFile,
    is_known_table,
    may_be_table,
    must_be_read,
    worth_reading,
)
from kerasgan.data.source import Item, Raw, Rejected, Source
from kerasgan.errors import UserError
from kerasgan.files import Damaged, reading
from kerasgan.text import printable

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
ZIP_BEGINS = b"PK\3\4"
MAX_FILE = 256 * 2**20  # bytes of one file in an archive; what claims more is no photograph
READ = 2**16  # bytes inflated at once
# Python inflates these by pieces of a known length; bzip2 makes gigabytes of a hundred bytes.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

BAD_HEADER = (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError)  # type: ignore[attr-defined]


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


class Listing(NamedTuple):
    """What is in an archive.

    Attributes:
        members: what may be picture files, in order.
        files: the paths of all files, cleaned.
        texts: the bytes of those that may tell something of the pictures, by their paths.
    """

    members: list[Member]
    files: list[str]
    texts: dict[str, bytes]


class ArchiveSource(Source):
    """The pictures in a zip or tar archive.

    Sorted by their paths, but for a compressed tar, which can only be read from its beginning
    to its end: there the archive's order holds. Folders of one class each give labels and tables
    give attributes or labels, as in `FolderSource`, and what kerasgan has written is left out.

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
        self._opened = ExitStack()
        with _explained(title):
            listing = self._list()
        names = [member.name for member in listing.members]
        own = find_own(names, listing.files, lambda name: listing.texts.get(name, b""))
        self._own = len(own)
        self.members = [member for member in listing.members if member.name not in own]
        if not self.members:
            but = " but what kerasgan has written itself" if own else ""
            raise UserError(
                "An archive of pictures should hold picture files, JPEG, PNG or WebP for example. "
                f"Received: {printable(title)}, with none{but}."
            )
        self.count = len(self.members)
        worth = set(worth_reading(list(listing.texts)))
        tables = [
            TableFile(name, data, f"{name} in {title}")
            for name, data in listing.texts.items()
            if name in worth
        ]
        unusable = [number for number, member in enumerate(self.members) if member.problem]
        self._known = find_known([member.name for member in self.members], tables, unusable)
        self.label_names = self._known.label_names
        self.attribute_names = self._known.attribute_names

    def _list(self) -> Listing:
        """Lists the archive."""
        raise NotImplementedError

    def _is_text(self, name: str, size: int, problem: str | None) -> bool:
        """Whether a file should be read for what it may tell of the pictures.

        Raises:
            UserError: it is a table known by its name, and cannot be read.
        """
        if is_hidden(name) or not (may_be_table(name) or is_told_by(name)):
            return False
        if problem and must_be_read(name):
            raise UserError(
                f"An attribute table should be readable. Received: {printable(name)} in "
                f"{printable(self.title)} ({problem})."
            )
        return not problem and (size <= MAX_TABLE or is_known_table(name))

    def _read_all(self) -> Iterator[Callable[[], Raw]]:
        """Yields for each member, in order, what fetches its bytes."""
        raise NotImplementedError

    def items(self) -> Iterator[Item]:
        with _explained(self.title):
            for number, fetch in enumerate(self._read_all()):
                label, attributes = self._known.of(number)
                yield Item(self.members[number].name, fetch, label, attributes)

    def groups(self) -> np.ndarray | None:
        return self._known.groups()

    def close(self) -> None:
        self._opened.close()

    def state(self) -> list[Any]:
        return self._state

    def watched(self) -> list[str]:
        return [self.path]

    def notes(self) -> list[str]:
        left_out = [f"{self._own:,} of kerasgan's own pictures left out"] if self._own else []
        return self._known.notes + left_out


class ZipSource(ArchiveSource):
    """The pictures in a zip archive; members are read by any thread."""

    def _list(self) -> Listing:
        with self._open() as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            files = [clean(info.filename) for info in infos]
            found = list(zip(files, infos, strict=True))
            members = [
                Member(name, info.file_size, _zip_problem(info), info)
                for name, info in found
                if wanted(name, partial(_zip_begins, archive, info))
            ]
            texts = {
                name: _inflate(archive, info)
                for name, info in found
                if self._is_text(name, info.file_size, _zip_problem(info))
            }
        return Listing(sorted(members, key=lambda member: member.name), files, texts)

    def _read_all(self) -> Iterator[Callable[[], Raw]]:
        archive = self._opened.enter_context(self._open())
        for member in self.members:
            yield partial(_fetch_zipped, archive, member)

    def _open(self) -> zipfile.ZipFile:
        with reading():
            return zipfile.ZipFile(self.path)


class StrictInfo(tarfile.TarInfo):
    """A header in a tar archive, where damage is an error.

    The standard library takes damage for the archive's end, and follows a size below zero
    backwards, for ever.
    """

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> "StrictInfo":
        try:
            info = super().fromtarfile(tarfile_)
        except BAD_HEADER as error:
            raise tarfile.ReadError(f"{error} at byte {tarfile_.offset:,}") from error
        if info.size < 0:
            raise tarfile.ReadError(f"a size below zero at byte {info.offset:,}")
        return info


class TarSource(ArchiveSource):
    """The pictures in a tar archive, plain or compressed by gzip, bzip2 or xz."""

    def _list(self) -> Listing:
        self._reading = threading.Lock()  # of the one file, by any thread
        listing = Listing([], [], {})
        with self._open() as archive:
            self._plain = isinstance(archive.fileobj, io.BufferedReader)  # not a decompressor
            for info in _infos(archive):
                name = clean(info.name)
                if info.isdir():
                    continue
                listing.files.append(name)
                problem = _tar_problem(info)
                if wanted(name, partial(_tar_begins, archive, info)):
                    listing.members.append(Member(name, info.size, problem, info.offset_data))
                elif self._is_text(name, info.size, problem):
                    listing.texts[name] = _extract(archive, info)
        if self._plain:
            listing.members.sort(key=lambda member: member.name)
        return listing

    def _read_all(self) -> Iterator[Callable[[], Raw]]:
        if self._plain:
            file = self._opened.enter_context(open(self.path, "rb"))
            for member in self.members:
                yield partial(self._fetch_at, file, member)
            return
        archive = self._opened.enter_context(self._open())
        places = {member.info for member in self.members}
        infos = (info for info in _infos(archive) if info.offset_data in places)
        for member, info in zip_longest(self.members, infos):
            if member is None or info is None or clean(info.name) != member.name:
                raise Damaged("it has changed since it was listed")
            data = b"" if member.problem else _extract(archive, info)
            yield partial(_fetch_read, member, data)

    def _open(self) -> tarfile.TarFile:
        with reading():
            return tarfile.open(self.path, tarinfo=StrictInfo)

    def _fetch_at(self, file: BinaryIO, member: Member) -> bytes:
        if member.problem:
            raise Rejected(member.problem)
        with self._reading:
            file.seek(member.info)
            data = file.read(member.size)
        if len(data) < member.size:
            raise Rejected("damaged in the archive: it ends before the file does")
        return data


def open_archive(title: str) -> ArchiveSource:
    """Opens a zip or tar archive, told apart by their names and first bytes.

    Raises:
        UserError: see `ArchiveSource`.
    """
    path = os.path.expanduser(title)
    with _explained(title), reading(), open(path, "rb") as file:
        begins = file.read(len(ZIP_BEGINS))
    # `zipfile.is_zipfile` would take a tar for the last zip in it.
    is_zip = path.lower().endswith(".zip") or begins == ZIP_BEGINS
    return ZipSource(title) if is_zip else TarSource(title)


def clean(name: str) -> str:
    """Returns a path in an archive without what would lead elsewhere: "..", drives, a root."""
    parts = name.replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", ".", "..") and part[1:] != ":")


def wanted(name: str, begin: Callable[[], bytes]) -> bool:
    """Whether a file in an archive is a picture, or another archive, which is rejected.

    Args:
        name: its cleaned path.
        begin: reads its first `BEGINS` bytes, where its name does not tell.
    """
    if is_hidden(name):
        return False
    if name.lower().endswith(ARCHIVES):
        return True
    told = looks_like_picture(name)
    return kind_of(begin()) is not None if told is None else told


def _problem(name: str, size: int) -> str | None:
    if name.lower().endswith(ARCHIVES):
        return "an archive inside the archive: unpack it"
    if not size:
        return "empty file"
    if why := why_not(name):
        return why
    return f"too large: {size:,} bytes" if size > MAX_FILE else None


def _zip_problem(info: zipfile.ZipInfo) -> str | None:
    if info.flag_bits & 0x1:
        return "encrypted: unpack the archive with its password"
    if info.compress_type not in METHODS:
        return "compressed otherwise than by deflate: unpack the archive"
    return _problem(info.filename, info.file_size)


def _tar_problem(info: tarfile.TarInfo) -> str | None:
    if not info.isreg() or info.issparse():
        return "not a file but a link or a device"
    return _problem(info.name, info.size)


def _fetch_zipped(archive: zipfile.ZipFile, member: Member) -> bytes:
    if member.problem:
        raise Rejected(member.problem)
    try:
        return _inflate(archive, member.info)
    except Damaged as error:
        raise Rejected(f"damaged in the archive: {error}") from error


def _inflate(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Reads a member, of which no more is inflated than it claims to hold."""
    with reading(), archive.open(info) as file:
        return b"".join(iter(partial(file.read, READ), b""))


def _zip_begins(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if _zip_problem(info):
        return b""
    try:
        with reading(), archive.open(info) as file:
            return file.read(BEGINS)
    except Damaged:
        return b""


def _tar_begins(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    if _tar_problem(info):
        return b""
    with reading():
        file = archive.extractfile(info)
    if file is None:
        return b""
    with reading():
        return file.read(BEGINS)


def _infos(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yields the headers in a tar archive."""
    infos = iter(archive)
    while True:
        with reading():
            info = next(infos, None)
        if info is None:
            return
        yield info


def _extract(archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    with reading():
        file = archive.extractfile(info)
    if file is None:
        return b""
    with reading():
        return file.read()


def _fetch_read(member: Member, data: bytes) -> bytes:
    if member.problem:
        raise Rejected(member.problem)
    return data


@contextmanager
def _explained(title: str) -> Iterator[None]:
    """Turns damage into a `UserError`."""
    try:
        yield
    except Damaged as error:
        raise UserError(
            "An archive of pictures should be a whole zip or tar file. Received: "
            f"{printable(title)} ({error}). Fetch or pack it again."
        ) from error
