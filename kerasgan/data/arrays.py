"""Arrays of pictures as a source: `.npy` and `.npz` files."""

import math
import os
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from kerasgan.data.decode import MAX_PIXELS, Rejected
from kerasgan.data.source import Item, Raw, Source
from kerasgan.errors import UserError
from kerasgan.files import Damaged, reading
from kerasgan.text import printable

# Names in a .npz, the first that is there counts; Keras' own sets use the first of each.
PICTURES = ("x_train", "images", "pictures", "faces", "x", "data", "arr_0")
LABELS = ("y_train", "labels", "label", "targets", "target", "y", "arr_1")
CHANNELS = (1, 3, 4)
RULE = (
    "An array of pictures should have shape (N, H, W), (N, H, W, C) or (N, C, H, W), C 1, 3 or 4, "
    f"with at most {MAX_PIXELS:,} pixels each"
)
MAX_CLASSES = 100_000  # beyond it the numbers beside the pictures are no labels


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

    Integers are taken as 0..255, booleans as black and white, others by the range of the first
    `PROBED` pictures. Those of 16 bits: 0..65535 where one is above 255. Floats: [-1, 1] where
    one is below zero, [0, 1] where none is above one, else 0..255. Class numbers beside the
    pictures in a `.npz` give labels.

    Args:
        title: the file, as the user named it.

    Raises:
        UserError: it cannot be read, or holds no array of pictures.
    """

    PROBED = 256  # pictures whose values tell the range

    def __init__(self, title: str) -> None:
        self.title = title
        self.path = os.path.expanduser(title)
        self.slug = Path(self.path).stem
        status = os.stat(self.path)
        self._state = [status.st_size, status.st_mtime_ns]
        with _explained(title):
            self._member, self.header = self._find()
            self._channels_first = _channels_first(self.header, title)
            self._whole_count = self._count_whole()
            cut = self._whole_count < self.header.shape[0]
            self.count = self._whole_count + cut  # one item stands for all that are missing
            self._scale = self._find_scale()
            self._notes: list[str] = []
            self.label_names, self._labels = self._find_labels()

    def items(self) -> Iterator[Item]:
        with _explained(self.title):
            number = 0
            for values in self._read():
                fetch = partial(_to_uint8, values, self._scale, self._channels_first)
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
        return self._notes

    def _find(self) -> tuple[str | None, Header]:
        """Returns the name inside the `.npz` (None in a `.npy`) and header of the pictures."""
        if not zipfile.is_zipfile(self.path):
            return None, self._header_of(None)
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
        return chosen, headers[chosen]

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

    def _read(self) -> Iterator[np.ndarray]:
        """Yields the pictures' numbers, as they lie in the file, as far as it is whole."""
        if self.header.fortran_order:
            yield from self._whole()
            return
        shape, dtype = self.header.shape[1:], self.header.dtype
        size = self._picture_bytes()
        with self._opened(self._member) as file:
            read_header(file)
            for _ in range(self._whole_count):
                try:
                    with reading():
                        data = file.read(size)
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

    def _find_scale(self) -> Callable[[np.ndarray], np.ndarray]:
        """Chooses what maps the array's numbers to 0..255."""
        kind, size = self.header.dtype.kind, self.header.dtype.itemsize
        if kind == "b":
            return _scale_unit
        if kind in "iu" and size != 2:
            return _scale_none
        low, high = self._probe()
        if kind in "iu":
            return _scale_16_bits if high > 255 else _scale_none
        if low < 0:
            return _scale_symmetric
        return _scale_unit if high <= 1 else _scale_none

    def _probe(self) -> tuple[float, float]:
        """Returns the lowest and the highest finite number in the first `PROBED` pictures."""
        low, high = math.inf, -math.inf
        for values in islice(self._read(), self.PROBED):
            finite = values[np.isfinite(values)].astype(np.float64)
            low = min(low, finite.min(initial=math.inf))
            high = max(high, finite.max(initial=-math.inf))
        return low, high

    def _find_labels(self) -> tuple[list[str], np.ndarray]:
        """Reads class numbers that lie beside the pictures."""
        none: tuple[list[str], np.ndarray] = [], np.empty(0, np.int64)
        if self._member is None:
            return none
        members = self._members()
        name = next((name for name in LABELS if name in members and name != self._member), None)
        if name is None:
            return none
        header, count = self._header_of(name), self.header.shape[0]
        if header.dtype.kind not in "iu" or header.shape not in ((count,), (count, 1)):
            what = f"{name} with {header.shape} of {header.dtype} for {count:,} pictures"
            self._notes.append(f"no labels: {what}")
            return none
        numbers, labels = np.unique(self._array(name).reshape(-1), return_inverse=True)
        if not 2 <= len(numbers) <= min(MAX_CLASSES, count):
            return none
        return [str(number) for number in numbers], labels.reshape(-1)


def read_header(file: IO[bytes]) -> Header:
    """Reads the header of a `.npy` file, up to where its numbers begin.

    Raises:
        Damaged: there is none, or the array holds Python objects.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's, of headers that Python 2 has written
        with reading():
            version = np.lib.format.read_magic(file)
        old = version == (1, 0)
        read = np.lib.format.read_array_header_1_0 if old else np.lib.format.read_array_header_2_0
        with reading():  # NumPy reads a header as Python
            shape, fortran_order, dtype = read(file)
    if dtype.hasobject:
        raise Damaged("it holds Python objects, not numbers")
    return Header(shape, file.tell(), fortran_order, dtype)


def _channels_first(header: Header, title: str) -> bool:
    """Whether the channels come before height and width.

    Raises:
        UserError: the array's shape or kind of numbers is not that of pictures.
    """
    shape = header.shape
    pixels = math.prod(shape[1:]) // max(CHANNELS)  # at least these, whatever is the channels
    last = len(shape) == 3 or (len(shape) == 4 and shape[3] in CHANNELS)
    first = not last and len(shape) == 4 and shape[1] in (1, 3)
    usable = min(shape, default=0) > 0 and pixels <= MAX_PIXELS and header.dtype.kind in "biuf"
    if not (last or first) or not usable:
        raise UserError(
            f"{RULE}, of numbers. Received: {printable(title)}, with {shape} of {header.dtype}."
        )
    return first


def _scale_none(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float64) if values.dtype.kind == "f" else values


def _scale_unit(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float64) * 255


def _scale_symmetric(values: np.ndarray) -> np.ndarray:
    return (values.astype(np.float64) + 1) * 127.5


def _scale_16_bits(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float64) / 257  # 65535 / 255


def _to_uint8(
    values: np.ndarray, scale: Callable[[np.ndarray], np.ndarray], channels_first: bool
) -> Raw:
    """Turns one picture's numbers into uint8 (H, W) or (H, W, C).

    Raises:
        Rejected: some are not finite or out of range.
    """
    if channels_first:
        values = np.moveaxis(values, 0, -1)
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    if not np.isfinite(values).all():
        raise Rejected("values that are not finite")
    scaled = np.rint(scale(values))
    if scaled.min() < 0 or scaled.max() > 255:
        raise Rejected(f"values out of range: {values.min():g} to {values.max():g}")
    return np.ascontiguousarray(scaled.astype(np.uint8))


def _missing() -> Raw:
    raise Rejected("damaged: the file ends before it")


@contextmanager
def _explained(title: str) -> Iterator[None]:
    """Turns damage into a `UserError`."""
    try:
        yield
    except Damaged as error:
        raise UserError(
            f"A .npy or .npz file should hold a whole array of numbers. Received: "
            f"{printable(title)} ({error})."
        ) from error
