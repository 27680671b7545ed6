"""TFRecord files as bytes: their framing and checksums, and the `tf.train.Example` in a record.

A record is its length (8 bytes), the length's checksum (4), the data, and the data's checksum (4),
all little-endian. An `Example` is a protocol buffer: names with lists of bytes, floats or integers.
Neither needs TensorFlow, whose own reader stops at the first damaged record.
"""

import gzip
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from kerasgan.files import Damaged, reading

MAX_RECORD = 256 * 2**20  # bytes; what claims more is no picture
HEADER = struct.Struct("<QI")  # length, its checksum
GZIP_BEGINS = b"\x1f\x8b"
LANE = 64  # bytes of which a checksum is computed beside those of the others
POLYNOMIAL = np.uint32(0x82F63B78)  # CRC-32C, reversed

Feature = list[bytes] | np.ndarray  # float32 or int64, (N,)


class Record(NamedTuple):
    """One record of a file.

    Attributes:
        data: its bytes.
        checksum: what they should have.
    """

    data: bytes
    checksum: int

    def check(self) -> None:
        """Raises `Damaged` unless the bytes are those that were written."""
        if masked_crc(self.data) != self.checksum:
            raise Damaged("the record's checksum is wrong")


def read_records(path: Path) -> Iterator[Record | str]:
    """Yields the records of a file, plain or compressed by gzip, in order.

    Where the rest of the file cannot be read, the last that is yielded is the reason.

    Raises:
        Damaged: the file cannot be opened, or holds no records.
    """
    with _opened(path) as file:
        first = True
        while True:
            try:
                record = _read_record(file)
            except Damaged as error:
                if first:
                    raise
                yield str(error)
                return
            if record is None:
                return
            yield record
            first = False


def _read_record(file: IO[bytes]) -> Record | None:
    """Reads the next record; None at the end of the file."""
    header = _read(file, HEADER.size, at_end=True)
    if not header:
        return None
    length, checksum = HEADER.unpack(header)
    if masked_crc(header[:8]) != checksum:
        raise Damaged("no record where one should begin")
    if length > MAX_RECORD:
        raise Damaged(f"a record of {length:,} bytes")
    data = _read(file, length)
    return Record(data, int.from_bytes(_read(file, 4), "little"))


def _read(file: IO[bytes], count: int, at_end: bool = False) -> bytes:
    with reading():
        data = file.read(count)
    if len(data) < count and not (at_end and not data):
        raise Damaged("the file ends within a record")
    return data


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    with reading():
        file: IO[bytes] = open(path, "rb")  # noqa: SIM115
    with file:
        packed = file.read(len(GZIP_BEGINS)) == GZIP_BEGINS
        file.seek(0)
        if packed:
            with gzip.open(file) as unpacked:
                yield unpacked  # type: ignore[misc]
        else:
            yield file


def masked_crc(data: bytes) -> int:
    """Returns the checksum of TFRecord files: CRC-32C, rotated and shifted."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """Returns the CRC-32C (Castagnoli) of some bytes.

    Beyond the first few bytes, pieces of `LANE` bytes are run through at the same time, each as
    if zeros went before it, which the checksum's linearity allows, and then joined by twos.
    """
    table = _table()
    head = len(data) % LANE
    state = 0xFFFFFFFF
    for byte in data[:head]:
        state = int(table[(state ^ byte) & 0xFF]) ^ state >> 8
    lanes = len(data) // LANE
    if not lanes:
        return state ^ 0xFFFFFFFF
    width = 1 << (lanes - 1).bit_length()  # zeros in front change nothing
    columns = np.zeros((LANE, width), np.uint32)
    columns[:, width - lanes :] = np.frombuffer(data, np.uint8, offset=head).reshape(-1, LANE).T
    states = np.zeros(width, np.uint32)
    states[width - lanes] = state
    for column in columns:
        states = table[(states ^ column) & 0xFF] ^ states >> 8
    power = LANE.bit_length() - 1
    while len(states) > 1:
        states = _apply(_zeros(power), states[0::2]) ^ states[1::2]
        power += 1
    return int(states[0]) ^ 0xFFFFFFFF


@lru_cache(maxsize=1)
def _table() -> np.ndarray:
    """The states that each byte leads to from 0, uint32 (256,)."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, table >> 1 ^ POLYNOMIAL, table >> 1)
    return table


@lru_cache(maxsize=64)
def _zeros(power: int) -> np.ndarray:
    """What 2**power bytes of zeros make of a state's four bytes, uint32 (4, 256)."""
    places = 8 * np.arange(4, dtype=np.uint32)[:, None]
    states = np.arange(256, dtype=np.uint32) << places
    if power:
        return _apply(_zeros(power - 1), _apply(_zeros(power - 1), states))
    return _table()[states & 0xFF] ^ states >> 8


def _apply(zeros: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Runs states through the zeros of `_zeros`."""
    low = zeros[0][states & 0xFF] ^ zeros[1][states >> 8 & 0xFF]
    return low ^ zeros[2][states >> 16 & 0xFF] ^ zeros[3][states >> 24]


def parse_example(data: bytes) -> dict[str, Feature]:
    """Reads a `tf.train.Example`.

    Returns:
        The features by name: a list of bytes, float32 (N,) or int64 (N,).

    Raises:
        Damaged: it is none.
    """
    features: dict[str, Feature] = {}
    for message in parse_fields(data).get(1, []):
        for entry in parse_fields(message).get(1, []):
            pair = parse_fields(entry)
            name = _only(pair, 1, b"")
            with reading():
                key = bytes(name).decode()
            features[key] = _feature(parse_fields(_only(pair, 2, b"")))
    return features


def _feature(kinds: dict[int, list]) -> Feature:
    if 2 in kinds:
        return _numbers(kinds[2], "<f4")
    if 3 in kinds:
        return _numbers(kinds[3], "<i8")
    return [
        bytes(value)
        for listed in kinds.get(1, [])
        for value in parse_fields(listed).get(1, [])
        if not isinstance(value, int)
    ]


def _numbers(lists: list, dtype: str) -> np.ndarray:
    """Joins the packed or single numbers in lists of floats or integers."""
    parts = [np.empty(0, dtype)]
    for listed in lists:
        for value in parse_fields(listed).get(1, []):
            if isinstance(value, int):
                parts.append(np.array([value], np.uint64).view(dtype))
            elif dtype == "<f4":
                if len(value) % 4:
                    raise Damaged("floats of odd length")
                parts.append(np.frombuffer(value, dtype))
            else:
                parts.append(_varints(value))
    return np.concatenate(parts)


def _varints(data: memoryview) -> np.ndarray:
    """Reads packed integers of 7 bits a byte, int64 (N,)."""
    values = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(values < 0x80) + 1
    if not len(values):
        return np.empty(0, np.int64)
    starts = np.concatenate([[0], ends[:-1]])
    if not len(ends) or ends[-1] != len(values) or (ends - starts).max() > 10:
        raise Damaged("integers that do not end")
    places = np.arange(len(values)) - np.repeat(starts, ends - starts)
    bits = (values & 0x7F).astype(np.uint64) << (7 * places).astype(np.uint64)
    return np.add.reduceat(bits, starts).view(np.int64)


def parse_fields(data: bytes | memoryview | int) -> dict[int, list]:
    """Reads the fields of a protocol buffer.

    Returns:
        By the fields' numbers, what they hold, in order: an int of a varint, else a memoryview.

    Raises:
        Damaged: it is none.
    """
    if isinstance(data, int):
        raise Damaged("a number where a message should be")
    view, at = memoryview(data), 0
    fields: dict[int, list] = {}
    while at < len(view):
        key, at = _varint(view, at)
        value: int | memoryview
        kind = key & 7
        if kind == 0:
            value, at = _varint(view, at)
        elif kind in (1, 2, 5):
            length = {1: 8, 5: 4}.get(kind)
            if length is None:
                length, at = _varint(view, at)
            if length > len(view) - at:
                raise Damaged("a field that does not end")
            value, at = view[at : at + length], at + length
        else:
            raise Damaged(f"a field of the unknown kind {kind}")
        fields.setdefault(key >> 3, []).append(value)
    return fields


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    """Returns an integer of 7 bits a byte, and where what follows begins."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(view):
            break
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
    raise Damaged("a number that does not end")


def _only(fields: dict[int, list], number: int, default: bytes) -> bytes | memoryview:
    """Returns the last of a field's messages, as protocol buffers do."""
    value = fields.get(number, [default])[-1]
    if isinstance(value, int):
        raise Damaged("a number where a message should be")
    return value
