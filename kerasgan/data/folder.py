"""A folder of picture files: what is in it, and its preparation for the cache."""

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from kerasgan.cli import UserError, progress
from kerasgan.data.cache import PictureWriter, Plan, Tally, make_key, rejected_writer
from kerasgan.data.decode import Decoded, Rejected, decode
from kerasgan.data.parallel import submit_in_order, threads
from kerasgan.data.text import most_common, printable

# HEIC is listed although Pillow does not read it: it is better rejected by name than overlooked.
SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .apng .webp .bmp .dib .gif .tif .tiff .ppm .pgm .pnm .avif"
    " .heic .heif".split()
)


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


def plan_folder(source: str, *, size: int, limit: int | None, crop: str, cache: Path) -> Plan:
    """Lists a folder and says how its pictures would be prepared.

    Args:
        source: the folder, as the user named it.
        size: height and width of the prepared pictures, in pixels.
        limit: at most how many pictures, the first by name; None for all.
        crop: one of `decode.CROPS`.
        cache: the folder of caches, left out of the listing.

    Raises:
        UserError: `source` is no folder, or there is no picture file in it.
    """
    folder = Path(os.path.expanduser(source))
    check_folder(source, folder)
    entries = list_pictures(folder, skip=[cache])
    if not entries:
        raise UserError(
            "A folder of pictures should hold JPEG, PNG, WebP, BMP, GIF or TIFF files, itself or "
            f"in its sub-folders. Received: {printable(source)}, with none."
        )
    preparation = FolderPreparation(source, folder, entries, size, limit, crop)
    options = {"size": size, "limit": limit, "crop": crop}
    return Plan(
        source=source,
        name=f"{folder.resolve().name}-{size}",
        key=make_key(options, entries),
        options=options,
        size=size,
        at_most=preparation.at_most,
        prepare=preparation,
    )


def check_folder(source: str, folder: Path) -> None:
    """Raises `UserError` unless `folder` is a folder that can be listed."""
    rule = "The source of pictures should be a folder or the word built-in"
    if not os.path.exists(folder):
        raise UserError(f"{rule}. Received: {printable(source)}, which does not exist.")
    if not os.path.isdir(folder):
        raise UserError(
            f"{rule}. Received: {printable(source)}, which is a file; put pictures in a folder "
            "(unpack an archive first) and name that."
        )
    if not os.access(folder, os.R_OK | os.X_OK):
        raise UserError(f"{rule}. Received: {printable(source)}, which may not be read.")


def list_pictures(folder: Path, skip: Iterable[Path] = ()) -> list[Entry]:
    """Lists the picture files in a folder and its sub-folders, sorted by name.

    The order is that of the names' code points, the same on every machine. Hidden files and
    folders are left out; a folder that links lead to more than once is listed once.

    Args:
        folder: where to look.
        skip: folders below it to leave out.
    """
    return sorted(walk(folder, skip), key=lambda entry: entry.name)


def walk(folder: Path, skip: Iterable[Path] = ()) -> Iterator[Entry]:
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
            with os.scandir(path) as listing:
                found = sorted(listing, key=lambda item: item.name)
        except OSError as error:
            yield Entry(prefix, 0, 0, f"folder cannot be read: {error.strerror}")
            continue
        for item in found:
            if item.name.startswith("."):
                continue
            if os.path.splitext(item.name)[1].lower() in SUFFIXES and not item.is_dir():
                yield _entry(prefix + item.name, item)
        folders = [item for item in found if _is_visible_folder(item)]
        waiting += [(f"{prefix}{item.name}/", item.path) for item in reversed(folders)]


@dataclass(frozen=True)
class FolderPreparation:
    """Decodes a folder's pictures into a cache.

    Attributes:
        source: the folder, as the user named it.
        folder: the folder.
        entries: its listing.
        size: height and width of the prepared pictures, in pixels.
        limit: at most how many pictures; None for all.
        crop: one of `decode.CROPS`.
    """

    source: str
    folder: Path
    entries: list[Entry]
    size: int
    limit: int | None
    crop: str

    @property
    def at_most(self) -> int:
        """How many pictures there will be if none is rejected."""
        return min(len(self.entries), self.limit or len(self.entries))

    def __call__(self, into: Path) -> Tally:
        """Writes `pictures.npy`, in the listing's order, and `rejected.csv`.

        Args:
            into: the cache folder being made.

        Raises:
            UserError: no picture was usable.
            OSError: the cache could not be written.
        """
        tally = Tally()
        reasons: Counter[str] = Counter()
        with (
            decoding_threads() as pool,
            PictureWriter(into / "pictures.npy", self.size) as writer,
            rejected_writer(into / "rejected.csv") as rejected,
            progress(self.at_most, "Preparing pictures", unit=" pictures") as bar,
        ):
            for entry, future in submit_in_order(pool, self._decode, self.entries):
                try:
                    picture = future.result()
                except Rejected as reason:
                    rejected.writerow([entry.name, reason])
                    reasons[str(reason).partition(":")[0]] += 1
                    tally.rejected += 1
                    bar.total = min(len(self.entries), self.at_most + tally.rejected)
                else:
                    writer.append(picture.pixels)
                    tally.add(picture)
                bar.update()
                if tally.count == self.limit:
                    break
        if not tally.count:
            raise UserError(
                "A folder of pictures should hold at least one that can be used. Received: "
                f"{printable(self.source)}, with {tally.rejected:,} rejected "
                f"({most_common(reasons)})."
            )
        return tally

    def _decode(self, entry: Entry) -> Decoded:
        if entry.problem:
            raise Rejected(entry.problem)
        return decode(os.path.join(self.folder, entry.name), self.size, self.crop)


@contextmanager
def decoding_threads() -> Iterator[ThreadPoolExecutor]:
    """Gives `threads` while Pillow's warnings are silenced.

    It warns of damaged EXIF and of large pictures. Filters belong to the process, not to a
    thread, so they are set once, around all the threads.
    """
    with threads() as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield pool


def _identity(path: str | Path) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _is_visible_folder(item: os.DirEntry[str]) -> bool:
    return not item.name.startswith(".") and item.is_dir()


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
