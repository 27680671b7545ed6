"""Arrays of pictures as a source: `.npy` and `.npz` files."""

import math
import os
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from kerasgan.data.decode import Rejected
from kerasgan.data.ranges import Values, describe_range, to_uint8
from kerasgan.data.shapes import find_channels_first
from kerasgan.data.source import Item, Raw, Source
from kerasgan.errors import UserError
from kerasgan.files import Damaged, reading
from kerasgan.text import plural, printable

# Names in a .npz, the first that is there counts; Keras' own sets use the first of each.
PICTURES = ("x_train", "images", "pictures", "faces", "x", "data", "arr_0")
LABELS = ("y_train", "labels", "label", "targets", "target", "y", "arr_1")
MAX_CLASSES = 100_000  # beyond it the numbers beside the pictures are no labels
MAX_COLUMNS = 1_000  # classes that may have a column of 0 and 1 each
OBJECTS = "it holds Python objects, not numbers"
REMEDY = (
    "Save the array itself, of pictures of one size (np.stack), or the pictures as PNG files: "
    "objects are not unpickled."
)


class Header(NamedTuple):
    """What a `.npy` file says of its array.

    Attributes:
        shape: of the array.
        begin: where its numbers begin, in bytes.
        fortran_order: whether the first index varies fastest.
        dtype: of its numbers.
    """

    shape: tuple[int, ...]
    begin: int
    fortran_order: bool
    dtype: np.dtype[Any]


class ArraySource(Source):
    """The pictures in a `.npy` or `.npz` file, read one at a time.

    Which numbers are black and white is decided by all of them, see `ranges`. Classes beside the
    pictures in a `.npz` give labels: a number or a word for each, or a column of 0 and 1 for each
    class.

    Args:
        title: the file, as the user named it.

    Raises:
        UserError: it cannot be read, or holds no array of pictures.
    """

    LOOKED_AT = 20_000  # pictures, at even distances, whose values tell the range

    def __init__(self, title: str) -> None:
        self.title = title
        self.path = os.path.expanduser(title)
        self.slug = Path(self.path).stem
        status = os.stat(self.path)
        self._state = [status.st_size, status.st_mtime_ns]
        self._notes: list[str] = []
        self._clipped: dict[int, int] = {}  # values that were, by the number of the picture
        with _explained(title):
            self._member, self.header = self._find()
            self._channels_first = find_channels_first(self.header.shape, self.header.dtype, title)
            self._whole_count = self._count_whole()
            cut = self._whole_count < self.header.shape[0]
            self.count = self._whole_count + cut  # one item stands for all that are missing
            self._values = self._look()
            self._range = self._values.decide()
            self.label_names, self._labels = self._find_labels()

    def items(self) -> Iterator[Item]:
        with _explained(self.title):
            number = 0
            for values in self._read():
                fetch = partial(self._to_uint8, number, values)
                yield Item(
                    str(number), fetch, int(self._labels[number]) if self.label_names else -1
                )
                number += 1
            if number < self.header.shape[0]:
                yield Item(f"{number} to {self.header.shape[0] - 1}", _missing)

    def groups(self) -> np.ndarray | None:
        if not self.label_names:
            return None
        return self._labels[: self.count]  # the last stands for all that are missing

    def state(self) -> list[Any]:
        return self._state

    def watched(self) -> list[str]:
        return [self.path]

    def notes(self) -> list[str]:
        clipped = self._clipped.values()
        return [*self._notes, *describe_range(self._range, self._values, clipped)]

    def _find(self) -> tuple[str | None, Header]:
        """Returns the name inside the `.npz` (None in a `.npy`) and header of the pictures."""
        if not zipfile.is_zipfile(self.path):
            return None, _of_numbers(self._header_of(None))
        headers = {name: self._header_of(name) for name in self._members()}
        named = [name for name in PICTURES if name in headers]
        shaped = [name for name in headers if len(headers[name].shape) in (3, 4)]
        if not named and len(shaped) != 1:
            raise UserError(
                "A .npz of pictures should name them one of "
                f"{', '.join(PICTURES)}. Received: {printable(self.title)}, with "
                f"{printable(', '.join(sorted(headers)) or 'nothing')}."
            )
        chosen = (named or shaped)[0]
        others = [name for name in shaped if name != chosen]
        if others:
            self._notes.append(f"of its arrays, {chosen} alone was read, not {', '.join(others)}")
        return chosen, _of_numbers(headers[chosen])

    def _members(self) -> list[str]:
        with self._archive() as archive:
            return [name[:-4] for name in archive.namelist() if name.endswith(".npy")]

    def _header_of(self, name: str | None) -> Header:
        with self._opened(name) as file:
            return read_header(file)

    @contextmanager
    def _archive(self) -> Iterator[zipfile.ZipFile]:
        with reading():
            archive = zipfile.ZipFile(self.path)
        with archive:
            yield archive

    @contextmanager
    def _opened(self, member: str | None) -> Iterator[IO[bytes]]:
        """Gives a member of the `.npz`, or for None the `.npy` file."""
        with ExitStack() as stack:
            if member is None:
                with reading():
                    file: IO[bytes] = stack.enter_context(open(self.path, "rb"))
            else:
                archive = stack.enter_context(self._archive())
                with reading():
                    file = stack.enter_context(archive.open(f"{member}.npy"))
            yield file

    def _count_whole(self) -> int:
        """Returns how many whole pictures the file is long enough for."""
        length = os.path.getsize(self.path)
        if self._member is not None:
            with self._archive() as archive:
                length = archive.getinfo(f"{self._member}.npy").file_size
        whole = (length - self.header.begin) // self._picture_bytes()
        return min(self.header.shape[0], whole)

    def _picture_bytes(self) -> int:
        return math.prod(self.header.shape[1:]) * self.header.dtype.itemsize

    def _read(self, step: int = 1) -> Iterator[np.ndarray]:
        """Yields every `step`-th picture's numbers as they lie in the file, while it is whole."""
        if self.header.fortran_order:
            yield from self._whole()[::step]
            return
        shape, dtype = self.header.shape[1:], self.header.dtype
        size = self._picture_bytes()
        with self._opened(self._member) as file:
            read_header(file)
            for _ in range(0, self._whole_count, step):
                try:
                    with reading():
                        data = file.read(size)
                    with reading():
                        file.seek((step - 1) * size, os.SEEK_CUR)
                except Damaged:  # a compressed .npz with damage in its middle
                    return
                if len(data) < size:
                    return
                yield np.frombuffer(data, dtype).reshape(shape)

    def _whole(self) -> np.ndarray:
        """Reads an array whose pictures do not lie one after the other."""
        if self._whole_count < self.header.shape[0]:
            raise Damaged(f"the file ends before its {self.header.shape} numbers do")
        if self._member is None:
            with reading():
                return np.load(self.path, mmap_mode="r", allow_pickle=False)
        return self._array(self._member)

    def _array(self, member: str) -> np.ndarray:
        """Reads a whole member of the `.npz`."""
        with reading(), np.load(self.path, allow_pickle=False) as arrays:
            return arrays[member]

    def _look(self) -> Values:
        """Looks at the pictures' values."""
        values = Values(self.title)
        step = -(-self._whole_count // self.LOOKED_AT)
        if self.header.dtype.kind == "b":
            step = self._whole_count
        for picture in self._read(max(1, step)):
            values.add(picture)
            if values.settled:
                break
        return values

    def _to_uint8(self, number: int, values: np.ndarray) -> Raw:
        """Turns one picture's numbers into uint8 (H, W) or (H, W, C); called in any thread.

        Raises:
            Rejected: some are not finite or out of range.
        """
        if self._channels_first:
            values = np.moveaxis(values, 0, -1)
        pixels, clipped = to_uint8(values, self._range)
        if clipped:
            self._clipped[number] = clipped
        return np.ascontiguousarray(pixels)

    def _find_labels(self) -> tuple[list[str], np.ndarray]:
        """Reads classes that lie beside the pictures."""
        none: tuple[list[str], np.ndarray] = [], np.empty(0, np.int64)
        members = self._members() if self._member is not None else []
        name = next((name for name in LABELS if name in members and name != self._member), None)
        if name is None:
            return none
        header, count = self._header_of(name), self.header.shape[0]
        found = _classes(self._array(name)) if _may_be_labels(header, count) else None
        if found is None:
            what = f"{name} with {header.shape} of {header.dtype} for {count:,} pictures"
            self._notes.append(f"no labels: {what}")
            return none
        names, labels = np.unique(found, return_inverse=True)
        if not 2 <= len(names) <= min(MAX_CLASSES, count):
            self._notes.append(f"no labels: {name} with {plural(len(names), 'different value')}")
            return none
        return [str(name) for name in names], labels.reshape(-1)


def _may_be_labels(header: Header, count: int) -> bool:
    """Whether an array may hold the classes of so many pictures."""
    if header.dtype.hasobject or header.dtype.kind not in "iufbUS" or header.shape[:1] != (count,):
        return False
    columns = header.shape[1] if len(header.shape) == 2 else 1
    return len(header.shape) <= 2 and columns <= MAX_COLUMNS


def _classes(values: np.ndarray) -> np.ndarray | None:
    """Returns each picture's class, numbers or words, (N,); None where there are none.

    Args:
        values: (N,), (N, 1), or (N, K) with a 1 in the column of the class.
    """
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    if values.ndim == 2 and values.shape[1] > 1:
        one_hot = np.isin(values, (0, 1)).all() if values.dtype.kind in "iufb" else False
        return values.argmax(axis=1) if one_hot and (values.sum(axis=1) == 1).all() else None
    values = values.reshape(-1)
    if values.dtype.kind != "f":
        return values
    whole = np.isfinite(values).all() and (values == np.rint(values)).all()
    return values.astype(np.int64) if whole else None


def _of_numbers(header: Header) -> Header:
    """Returns a header of pictures.

    Raises:
        Damaged: the array holds Python objects.
    """
    if header.dtype.hasobject:
        raise Damaged(OBJECTS)
    return header


def read_header(file: IO[bytes]) -> Header:
    """Reads the header of a `.npy` file, up to where its numbers begin.

    Raises:
        Damaged: there is none.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, of headers that Python 2 has written
        with reading():
            version = np.lib.format.read_magic(file)
        old = version == (1, 0)
        read = np.lib.format.read_array_header_1_0 if old else np.lib.format.read_array_header_2_0
        with reading():  # NumPy reads a header as Python
            shape, fortran_order, dtype = read(file)
    return Header(shape, file.tell(), fortran_order, dtype)


def _missing() -> Raw:
    raise Rejected("damaged: the file ends before it")


@contextmanager
def _explained(title: str) -> Iterator[None]:
    """Turns damage into a `UserError`."""
    try:
        yield
    except Damaged as error:
        objects = str(error) == OBJECTS
        raise UserError(
            f"A .npy or .npz file should hold a whole array of numbers. Received: "
            f"{printable(title)} ({error})."
            f"{objects and f' {REMEDY}' or ''}"
        ) from error
