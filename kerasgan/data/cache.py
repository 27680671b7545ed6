"""Prepared pictures on disk: built once, whole or not at all, then mapped into memory.

A cache is a folder named by its source and by a key over all that determines its pixels:

    pictures.npy    uint8 (N, size, size, C), C = 3, or 1 for greys
    checksums.npy   uint32 (N,), the CRC-32 of each picture
    pictures.csv    where each picture came from, its class and attributes (`data.table`)
    rejected.csv    path,reason of every file that gave no picture
    meta.json       options, counts, the sha256 of the pixels, of the table and of itself

A picture is compared with its checksum each time that it is read, which takes less than a
millisecond a batch. So a start reads no more than the checksums, and what changes on the disk later
is noticed as well. A damaged cache loses its meta.json and is prepared again at the next start. One
of an older version, without checksums, gets them once all its pixels have been found as they were.

Beside the caches, `recent/` notes which cache a request led to and what its source looked like,
so that the next start need not list a large source again.
"""

import csv
import errno
import hashlib
import json
import os
import re
import shutil
import sys
import time
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

import kerasgan
from kerasgan.cli import progress
from kerasgan.data.decode import Decoded
from kerasgan.data.request import Request
from kerasgan.data.table import Table, read_table
from kerasgan.errors import UserError
from kerasgan.files import LEFTOVERS, Damaged, atomic_path, read_json, reading
from kerasgan.text import megabytes, plural, printable

FORMAT = 3  # raised whenever the same options give other pixels or other files
META, CHECKSUMS = "meta.json", "checksums.npy"
MAX_META = 2**26  # bytes: a million classes
CHECKED = 256  # pictures read at once, to be compared with their checksums
ABANDONED = 24 * 3600  # seconds; a temporary folder older than this was left by a killed process


@dataclass(frozen=True, eq=False)
class Pictures:
    """Prepared pictures, mapped from the disk.

    Attributes:
        pixels: uint8 in 0..255, (N, size, size, C), RGB or grey, memory-mapped, read-only.
        source: what the user named: a folder's path, or "built-in".
        fingerprint: sha256 of the pixels, in hex.
        folder: the cache folder, with `pictures.npy`, `pictures.csv`, `rejected.csv` and
            `meta.json`.
        rejected: how many files were skipped.
        request: what finds the same pictures again from anywhere, its paths absolute.
        label_names: the classes, where the source has any.
        checksums: uint32 (N,), the CRC-32 of each picture; None to compare none.
    """

    pixels: np.ndarray
    source: str
    fingerprint: str
    folder: Path
    rejected: int
    request: Request
    label_names: list[str] = field(default_factory=list)
    checksums: np.ndarray | None = None

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Reads some of the pictures, and compares them with their checksums.

        Args:
            indices: int (B,).

        Returns:
            uint8, (B, size, size, C).

        Raises:
            UserError: a picture has changed on the disk.
        """
        pictures = np.asarray(self.pixels[indices])
        if self.checksums is not None:
            for index, picture in zip(indices, pictures, strict=True):
                if zlib.crc32(picture) != self.checksums[index]:
                    raise self._changed(int(index))
        return pictures

    def require_whole(self, indices: np.ndarray | None = None) -> None:
        """Raises UserError where one of the pictures, all unless given, has changed on the disk."""
        wanted = np.arange(len(self.pixels)) if indices is None else indices
        for start in range(0, len(wanted), CHECKED):
            self.take(wanted[start : start + CHECKED])

    def _changed(self, index: int) -> UserError:
        """Has the cache prepared again at the next start; returns what to say of that."""
        with suppress(OSError):
            (self.folder / META).unlink()
        return UserError(
            "A cache's pictures should be as they were prepared. Received: "
            f"{printable(str(self.folder))}, of which picture {index:,} has changed on the disk. "
            "It is prepared again at the next start: type the same command; a training goes on by "
            "--resume."
        )

    @cached_property
    def table(self) -> Table:
        """Names, labels and attributes of the pictures; read at the first use.

        Raises:
            UserError: the file is damaged.
        """
        path = self.folder / "pictures.csv"
        try:
            known = read_meta(self.folder).get("table")
            if known is not None and known != _sha256(path):
                raise Damaged("it has changed on the disk")
            table = read_table(path, self.label_names)
            if len(table.names) != len(self.pixels):
                raise Damaged(f"{len(table.names)} rows for {len(self.pixels)} pictures")
        except Damaged as error:
            raise _not_whole(self.folder, f"{path} ({error})") from error
        return table


@dataclass
class Tally:
    """What became of a source's pictures, counted."""

    count: int = 0
    rejected: int = 0
    enlarged: int = 0
    over_white: int = 0
    unlabelled: int = 0
    without_attributes: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, picture: Decoded) -> None:
        """Counts one more usable picture."""
        self.count += 1
        self.enlarged += picture.enlarged
        self.over_white += picture.over_white


@dataclass(frozen=True)
class Plan:
    """How a source's pictures would be prepared.

    Attributes:
        source: what the user named.
        request: what finds the same pictures again from anywhere.
        name: the readable part of the cache folder's name.
        key: sha256 over all that determines the pixels, in hex.
        options: what the user may choose, for `meta.json`.
        size: height and width of the pictures, in pixels.
        channels: 3 for RGB, 1 for grey.
        label_names: the classes, where the source has any.
        at_most: how many pictures there can be.
        prepare: writes all files but `meta.json` into the folder it is given.
    """

    source: str
    request: Request
    name: str
    key: str
    options: dict[str, Any]
    size: int
    channels: int
    label_names: list[str]
    at_most: int
    prepare: Callable[[Path], Tally]


def open_or_build(plan: Plan, cache: Path, rebuild: bool = False) -> Pictures:
    """Maps a plan's pictures, prepared first unless a cache has them.

    Args:
        plan: the source and its options.
        cache: the folder of caches, made if need be.
        rebuild: whether to prepare them although a cache has them.

    Raises:
        UserError: there is no usable picture, or the cache cannot be written.
    """
    slug = re.sub(r"[^A-Za-z0-9]+", "-", plan.name).strip("-")[-32:] or "pictures"
    folder = cache / f"{slug}-{plan.key[:12]}"
    shape = plan.size, plan.size, plan.channels
    if rebuild:
        shutil.rmtree(folder, ignore_errors=True)
    if os.path.exists(folder):
        try:
            return open_cache(folder, plan.source, plan.request, shape)
        except Damaged as error:
            message = f"The cache {folder} is damaged ({error}); preparing it again."
            print(printable(message), file=sys.stderr)
            shutil.rmtree(folder, ignore_errors=True)
    try:
        build(plan, folder)
    except OSError as error:
        # Another process may have finished the same cache first: that one is as good.
        if not os.path.exists(folder):
            raise _write_error(plan, cache, error) from error
    try:
        return open_cache(folder, plan.source, plan.request, shape)
    except Damaged as error:
        place = printable(f"{folder} ({error})")
        raise UserError(f"A cache should be readable. Received: {place}. Remove it.") from error


def open_cache(
    folder: Path, source: str, request: Request, shape: tuple[int, int, int]
) -> Pictures:
    """Maps the pictures of a finished cache.

    Args:
        folder: the cache.
        source: what the user named.
        request: what finds the same pictures again from anywhere.
        shape: height, width and channels that each picture should have.

    Raises:
        Damaged: its files are not what was written.
    """
    meta = read_meta(folder)
    with reading():
        pixels = np.load(folder / "pictures.npy", mmap_mode="r", allow_pickle=False)
    if pixels.shape != (meta["count"], *shape) or pixels.dtype != np.uint8:
        raise Damaged(f"pictures.npy has shape {pixels.shape}, not {(meta['count'], *shape)}")
    checksums = _read_checksums(folder, meta, pixels)
    return Pictures(
        pixels,
        source,
        meta["fingerprint"],
        folder,
        meta["rejected"],
        request,
        label_names=meta["label_names"],
        checksums=checksums,
    )


def _read_checksums(folder: Path, meta: dict[str, Any], pixels: np.ndarray) -> np.ndarray:
    """Reads the checksums of a cache, or makes those of one of an older version.

    Raises:
        Damaged: they are not what was written, or the pixels are not.
    """
    path = folder / CHECKSUMS
    if not path.exists() and "table" not in meta:
        return _make_checksums(folder, meta, pixels)
    with reading():
        checksums = np.load(path, allow_pickle=False)
    if checksums.shape != (len(pixels),) or checksums.dtype != np.uint32:
        raise Damaged(f"{CHECKSUMS} has shape {checksums.shape}, not {(len(pixels),)}")
    return np.asarray(checksums)


def _make_checksums(folder: Path, meta: dict[str, Any], pixels: np.ndarray) -> np.ndarray:
    digest, checksums = hashlib.sha256(), np.zeros(len(pixels), np.uint32)
    with progress(len(pixels), "Checking the cache, once", unit=" pictures") as bar:
        for start in range(0, len(pixels), CHECKED):
            part = np.asarray(pixels[start : start + CHECKED])
            digest.update(part.data)
            checksums[start : start + CHECKED] = [zlib.crc32(picture) for picture in part]
            bar.update(len(part))
    if digest.hexdigest() != meta["fingerprint"]:
        raise Damaged("its pixels have changed on the disk")
    with suppress(OSError), atomic_path(folder / CHECKSUMS) as temporary:
        np.save(temporary, checksums, allow_pickle=False)
    return checksums


def read_meta(folder: Path) -> dict[str, Any]:
    """Reads a cache's `meta.json`.

    Raises:
        Damaged: it is not what was written.
    """
    try:
        meta = read_json(folder / META, MAX_META)
    except OSError as error:
        raise Damaged(f"{META} is missing") from error
    except Damaged as error:
        raise Damaged(f"{META}: {error}") from error
    kinds: dict[str, type] = {item.name: int for item in fields(Tally)} | {"fingerprint": str}
    kinds |= {"label_names": list, "notes": list}
    for name, kind in kinds.items():
        if name not in meta:
            raise Damaged(f"{META} has no {name}")
        value = meta[name]
        texts = isinstance(value, list) and all(isinstance(text, str) for text in value)
        if type(value) is not kind or not (texts or kind is not list):
            raise Damaged(f"{META} has an odd {name}")
    expected = meta.pop("sha256", None)
    if expected != _digest(meta) and (expected or "table" in meta):  # older versions have neither
        raise Damaged(f"{META} has changed on the disk")
    return meta


def _digest(meta: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(meta, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    """Returns the sha256 of a file, in hex.

    Raises:
        Damaged: it cannot be read.
    """
    with reading():
        return hashlib.sha256(path.read_bytes()).hexdigest()


def build(plan: Plan, folder: Path) -> None:
    """Prepares a plan's pictures in a temporary folder, then gives it its name."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(folder.parent)
    _check_space(plan, folder.parent)
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        tally = plan.prepare(temporary)
        meta = {
            "format": FORMAT,
            "kerasgan": kerasgan.__version__,
            "source": plan.source,
            "options": plan.options,
            "label_names": plan.label_names,
            **asdict(tally),
            "fingerprint": fingerprint(temporary / "pictures.npy"),
            "table": _sha256(temporary / "pictures.csv"),
        }
        meta = json.loads(json.dumps(meta))  # as it will be read
        meta["sha256"] = _digest(meta)
        (temporary / META).write_text(json.dumps(meta, indent=2) + "\n", encoding="utf-8")


def make_key(options: dict[str, Any], listing: Iterable[Any]) -> str:
    """Returns the sha256, in hex, of the cache's format, the options and the listing."""
    digest = hashlib.sha256(json.dumps([FORMAT, options], sort_keys=True).encode())
    for entry in listing:
        digest.update(json.dumps(entry).encode() + b"\n")
    return digest.hexdigest()


def fingerprint(path: Path) -> str:
    """Returns the sha256, in hex, of the pixels in a `.npy` file, without its header."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def remove_abandoned(cache: Path) -> None:
    """Removes what builds that were killed a day or more ago have left in the cache."""
    for folder in cache.glob(LEFTOVERS):
        if folder.is_dir() and time.time() - folder.stat().st_mtime > ABANDONED:
            shutil.rmtree(folder, ignore_errors=True)


class PictureWriter:
    """Writes pictures one by one to a `.npy` file whose length shows only at the end.

    Their checksums, of the pixels before these go to the disk, are written beside it.

    Plain writes, since on a full disk these raise, where a memory map would kill the process.
    """

    def __init__(self, path: Path, size: int, channels: int = 3) -> None:
        self.size = size
        self.channels = channels
        self.count = 0
        self._checksums = array("I")
        self._path = path
        self._file: BinaryIO = open(path, "xb")
        write_header(self._file, 0, size, channels)

    def append(self, picture: np.ndarray) -> None:
        """Writes one picture, uint8 (size, size, channels)."""
        content = picture.tobytes()
        self._file.write(content)
        self._checksums.append(zlib.crc32(content))
        self.count += 1

    def __enter__(self) -> "PictureWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._file:
            if kind is None:
                self._file.seek(0)
                write_header(self._file, self.count, self.size, self.channels)
                checksums = np.array(self._checksums, np.uint32)
                np.save(self._path.with_name(CHECKSUMS), checksums, allow_pickle=False)


def write_header(file: BinaryIO, count: int, size: int, channels: int = 3) -> None:
    """Writes the header of a `.npy` file of `count` pictures, of the same length for any count."""
    shape = (count, size, size, channels)
    np.lib.format.write_array_header_1_0(
        file, {"descr": "|u1", "fortran_order": False, "shape": shape}
    )


@contextmanager
def rejected_writer(path: Path) -> Iterator[Any]:
    """Gives a `csv.writer` for `rejected.csv`, which has its header already."""
    with open(path, "x", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "reason"])
        yield writer


def describe(pictures: Pictures) -> str:
    """Sums pictures up in one line: how many, how large, from where, and what was done.

    Raises:
        UserError: the cache has been damaged since it was opened.
    """
    try:
        meta = read_meta(pictures.folder)
    except Damaged as error:
        raise _not_whole(pictures.folder, f"{pictures.folder} ({error})") from error
    notes = []
    if pictures.rejected:
        notes.append(f"{pictures.rejected:,} rejected, see {pictures.folder / 'rejected.csv'}")
    if meta["enlarged"]:
        notes.append(f"{meta['enlarged']:,} enlarged")
    if meta["over_white"]:
        notes.append(f"{meta['over_white']:,} with transparency, laid over white")
    if meta["without_attributes"]:
        notes.append(f"{meta['without_attributes']:,} without attributes")
    if meta["unlabelled"]:
        notes.append(f"{meta['unlabelled']:,} without a label")
    notes += meta["notes"]
    count, size = pictures.pixels.shape[:2]
    kind = "grey picture" if pictures.pixels.shape[3] == 1 else "picture"
    what = f"{plural(count, kind)} of {size}x{size} from {pictures.source}"
    if classes := len(pictures.label_names):
        what += f", in {classes:,} classes"
    return printable(f"{what} ({'; '.join(notes)})" if notes else what)


def _not_whole(folder: Path, fact: str) -> UserError:
    place = printable(str(folder))
    return UserError(
        f"A cache should be whole. Received: {printable(fact)}. Remove {place}; it is made again "
        "at the next start."
    )


def _needed(plan: Plan) -> int:
    return plan.at_most * plan.size * plan.size * plan.channels


def _check_space(plan: Plan, cache: Path) -> None:
    if shutil.disk_usage(cache).free < _needed(plan):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _write_error(plan: Plan, cache: Path, error: OSError) -> UserError:
    place = printable(str(cache))
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(
            f"The cache needs up to {megabytes(_needed(plan))}. Received: {place}, where "
            f"{megabytes(shutil.disk_usage(cache).free)} are free. Free some space, use another "
            "disk (--cache) or fewer pictures (--limit)."
        )
    return UserError(
        f"The cache should be a folder that can be written to. Received: {place} "
        f"({printable(str(error))}). Name another with --cache."
    )
