"""Pictures whose file is not whole although the picture is, or lacks no more than a corner.

A copy of the file is made that Pillow reads. What lacks more than a corner gives none: the lower
half of a JPEG file that was cut is grey in many programs, and should not be learned.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from kerasgan.data.source import Rejected

MAX_MISSING = 1 / 64  # part of a picture: a block of 16x16 pixels in 128x128
MAX_UNREFINED = 1 / 4  # part of it that may lack the last bit of its coefficients
MAX_PADDED = 16  # bytes that other files may lack at their end
MOST_PIXELS = 1024  # in a byte of a JPEG file; blocks of one colour take a bit or more
STEP = 2**16  # bytes inflated at once, or appended
MAX_NOTE = 2**20  # bytes of a PNG's ICC profile or EXIF data: no more is read
MAX_INFLATED = 2**30  # bytes of a PNG's lines: no picture that is used has more
JPEG_BEGINS, JPEG_ENDS = b"\xff\xd8\xff", b"\xff\xd9"
JPEG2000_BEGINS = (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")
PNG_BEGINS = b"\x89PNG\r\n\x1a\n"
TIFF_BEGINS = (b"II*\0", b"MM\0*")
UNCOMPRESSED = (struct.pack("<HHII", 259, 3, 1, 1), struct.pack(">HHIHH", 259, 3, 1, 1, 0))
PNG_NOTES = (b"Raw profile type exif\0", b"XML:com.adobe.xmp\0")  # may say which way is up
PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by the colour type
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
         (0, 1, 1, 2))  # x, y, step in x and in y of each pass of an interlaced PNG  # fmt: skip

Load = Callable[[bytes], Image.Image]  # decodes a file's bytes; raises `Rejected` where it cannot


def mended(data: bytes, load: Load) -> bytes | None:
    """Returns a picture file that can be read in place of one that cannot; None if there is none.

    Args:
        data: the file.
        load: decodes a file.

    Raises:
        Rejected: `load` cannot decode what is there at all.
    """
    if data.startswith(JPEG_BEGINS):
        return _mended_jpeg(data, load)
    if data.startswith(PNG_BEGINS):
        return _mended_png(data)
    if data.startswith(JPEG2000_BEGINS):
        return data.removesuffix(b"\xff") + JPEG_ENDS  # the same two bytes
    return _padded(data, load)


def _padded(data: bytes, load: Load) -> bytes | None:
    """Appends a few bytes to a file, if they change a corner of its picture at most."""
    if data.startswith(TIFF_BEGINS) and not any(tag in data for tag in UNCOMPRESSED):
        return None  # what says where its strips are may be cut
    length = min(MAX_PADDED, int(len(data) * MAX_MISSING))
    copies = [data + padding for padding in (bytes(length), b"\x55" * length, _chance(0, length))]
    read = [(copy, image) for copy in copies if (image := _tried(load, copy)) is not None]
    if len(read) < 2:
        return None
    (copy, first), *others = read
    return copy if all(_is_nearly(first, image) for _, image in others) else None


def _tried(load: Load, data: bytes) -> Image.Image | None:
    try:
        return load(data)
    except Rejected:
        return None


def _is_nearly(one: Image.Image, other: Image.Image) -> bool:
    if (one.mode, one.size, one.getpalette()) != (other.mode, other.size, other.getpalette()):
        return False
    return bool(_changed(one, other).mean() <= MAX_MISSING)


class Scan(NamedTuple):
    """One pass over a JPEG picture.

    Attributes:
        components: which it has, by their numbers.
        first: coefficient of each block.
        last: coefficient.
        high: bits that are left to it, where it refines what earlier scans gave; else 0.
        low: bits that it leaves to later ones.
    """

    components: tuple[int, ...]
    first: int
    last: int
    high: int
    low: int


class Jpeg(NamedTuple):
    """The structure of a JPEG file.

    Attributes:
        width: in pixels.
        height: in pixels.
        components: horizontal and vertical samples in a block group, by their numbers.
        progressive: whether its scans refine one another.
        scans: those that have begun.
        end: where its data end; None where nothing says that.
    """

    width: int
    height: int
    components: dict[int, tuple[int, int]]
    progressive: bool
    scans: list[Scan]
    end: int | None

    @property
    def held(self) -> int:
        """Bytes that a decoder holds: all coefficients, if the scans are several."""
        first = self.scans[0].components if self.scans else ()
        if len(first) == len(self.components) and not self.progressive:
            return 0
        largest = [max(sizes) for sizes in zip(*self.components.values(), strict=True)]
        parts = (x * y / (largest[0] * largest[1]) for x, y in self.components.values())
        return int(2 * self.width * self.height * sum(parts))


MARKER = re.compile(rb"\xff[^\0\xff\xd0-\xd7]")  # within a scan
FRAMES = (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)


def read_jpeg(data: bytes, scans: int | None = None) -> Jpeg | None:
    """Reads the structure of the first picture in a JPEG file; None where it has no frame.

    Args:
        data: the file, or its beginning.
        scans: how many scans are looked at; None for all.
    """
    position, frame, end = 2, None, None
    found: list[Scan] = []
    while position + 4 <= len(data) and data[position] == 0xFF and len(found) != scans:
        marker, length = (
            data[position + 1],
            int.from_bytes(data[position + 2 : position + 4], "big"),
        )
        body = data[position + 4 : position + 2 + length]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        position += 2 + length
        if marker in FRAMES and len(body) >= 6 + 3 * body[5]:
            frame = (marker, body)
        elif marker == 0xDA and frame and body:
            found.append(_read_scan(body))
            next_marker = MARKER.search(data, position)
            position = next_marker.start() if next_marker else len(data)
            if data[position : position + 2] == JPEG_ENDS:
                end = position
                break
    return _to_jpeg(*frame, found, end) if frame else None


def _read_scan(body: bytes) -> Scan:
    count = body[0]
    components = tuple(body[1 : 1 + 2 * count : 2])
    first, last, bits = (*body[1 + 2 * count : 4 + 2 * count], 0, 63, 0)[:3]
    return Scan(components, first, last, bits >> 4, bits & 15)


def _to_jpeg(marker: int, body: bytes, scans: list[Scan], end: int | None) -> Jpeg:
    height, width = struct.unpack(">HH", body[1:5])
    parts = [body[6 + 3 * i : 9 + 3 * i] for i in range(body[5])]
    components = {part[0]: (max(part[1] >> 4, 1), max(part[1] & 15, 1)) for part in parts}
    return Jpeg(width, height, components, marker in PROGRESSIVE, scans, end)


def lacks_a_part(data: bytes, load: Load, ends_grey: bool) -> bool:
    """Whether a JPEG file that can be read has less than all of its picture.

    Args:
        data: the file.
        load: decodes it.
        ends_grey: whether the picture ends in the grey of what is missing. Otherwise the file's
            own end tells that it is whole.
    """
    jpeg = read_jpeg(data)
    if jpeg is None or jpeg.end is None:
        return jpeg is None or not _is_whole(_without_filling(data), jpeg, load)
    return ends_grey and not _is_whole(data[: jpeg.end], jpeg, load)


def _mended_jpeg(data: bytes, load: Load) -> bytes | None:
    jpeg = read_jpeg(data)
    if jpeg is None or not jpeg.scans:
        return None
    if jpeg.end is not None:  # what follows is broken, a smaller copy of the picture for example
        return data[: jpeg.end] + JPEG_ENDS
    data = _without_filling(data)
    return data + JPEG_ENDS if _is_whole(data, jpeg, load) else None


def _without_filling(data: bytes) -> bytes:
    """Takes off the zeros of a file that was made at full length before its bytes came."""
    kept = data.rstrip(b"\0")
    if kept.endswith(b"\xff") and len(kept) < len(data):
        return kept + b"\0"  # 255 is written so
    return kept.removesuffix(b"\xff")  # half a marker


def _is_whole(data: bytes, jpeg: Jpeg, load: Load) -> bool:
    """Whether what a JPEG file has up to its end, or where it was cut, is the whole picture."""
    if len(data) * MOST_PIXELS < jpeg.width * jpeg.height or not _has_all_scans(jpeg):
        return False
    allowed = MAX_UNREFINED if jpeg.scans[-1].high else MAX_MISSING
    return _missing_part(data, jpeg, load) <= allowed


def _has_all_scans(jpeg: Jpeg) -> bool:
    """Whether scans have begun for all bits of all coefficients."""
    left = {(number, place): 99 for number in jpeg.components for place in range(64)}
    for scan in jpeg.scans:
        last = scan.last if jpeg.progressive else 63
        for number in scan.components:
            left |= {(number, place): scan.low for place in range(scan.first, last + 1)}
    return not any(bits for bits in left.values())


def _missing_part(data: bytes, jpeg: Jpeg, load: Load) -> float:
    """Returns which part of a picture, 0 to 1, depends on what would follow the data."""
    changed = _changed(*(load(data + _chance(seed, STEP) + JPEG_ENDS) for seed in (0, 1)))
    if not changed.any():
        return 0.0
    height, width = changed.shape
    top, left = int(changed.any(axis=1).argmax()), int(changed.any(axis=0).argmax())
    block = 8 * max(y for _, y in jpeg.components.values()) * height / jpeg.height + 2
    if height - top > block:  # what follows may be missing without a change: it is grey then
        left = 0
    return (height - top) * (width - left) / (height * width)


def _changed(one: Image.Image, other: Image.Image) -> np.ndarray:
    """Returns where two pictures of one mode differ, bool (H, W)."""
    differ = np.asarray(one) != np.asarray(other)
    return differ.reshape(*differ.shape[:2], -1).any(axis=2)


def _chance(seed: int, length: int) -> bytes:
    """Returns bytes without a marker."""
    return np.random.default_rng(seed).integers(0, 255, length, np.uint8).tobytes()


def _mended_png(data: bytes) -> bytes | None:
    """Keeps of a PNG what its picture is made of, if all that is there."""
    chunks = list(_chunks(data))
    if not chunks or chunks[0][0] != b"IHDR" or len(chunks[0][1]) != 13:
        return None
    width, height, depth, kind, *_, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    if kind not in PNG_CHANNELS:
        return None
    lines = _lines(width, height, interlaced)
    needed = sum(
        count * (1 + (length * PNG_CHANNELS[kind] * depth + 7) // 8) for count, length in lines
    )
    if needed > MAX_INFLATED:
        return None
    pixels = _inflated_again(b"".join(body for name, body, _ in chunks if name == b"IDAT"), needed)
    if pixels is None:
        return None
    kept = [(name, body) for name, body, is_right in chunks if is_right and _is_kept(name, body)]
    return PNG_BEGINS + b"".join(
        _chunk(name, body)
        for name, body in ((b"IHDR", chunks[0][1]), *kept, (b"IDAT", pixels), (b"IEND", b""))
    )


def _lines(width: int, height: int, interlaced: bool) -> list[tuple[int, int]]:
    """Returns how many lines a PNG has, and of how many pixels, in each of its passes."""
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    sizes = [(-(-(height - y) // dy), -(-(width - x) // dx)) for x, y, dx, dy in passes]
    return [(count, length) for count, length in sizes if count > 0 and length > 0]


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Yields the chunks of a PNG: name, content, and whether its checksum is right."""
    position = len(PNG_BEGINS)
    while position + 8 <= len(data):
        length, name = struct.unpack(">I4s", data[position : position + 8])
        body = data[position + 8 : position + 8 + length]
        checksum = data[position + 8 + length : position + 12 + length]
        yield name, body, checksum == zlib.crc32(name + body).to_bytes(4, "big")
        position += 12 + length


def _is_kept(name: bytes, body: bytes) -> bool:
    """Whether a chunk changes the pixels, their colours or their place, and Pillow reads it."""
    if name in (b"iCCP", b"zTXt"):
        return (name == b"iCCP" or body.startswith(PNG_NOTES)) and not _is_bomb(body)
    if name in (b"tEXt", b"iTXt"):
        is_plain = name == b"tEXt" or body.partition(b"\0")[2][:1] == b"\0"
        return body.startswith(PNG_NOTES) and is_plain and len(body) <= MAX_NOTE
    return name in (b"PLTE", b"tRNS", b"eXIf")


def _is_bomb(body: bytes) -> bool:
    """Whether a chunk of a name and compressed content holds more than Pillow inflates."""
    inflate = zlib.decompressobj()
    try:
        inflate.decompress(body.partition(b"\0")[2][1:], MAX_NOTE)
    except zlib.error:
        return True
    return not inflate.eof


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + zlib.crc32(name + body).to_bytes(4, "big")


def _inflated_again(data: bytes, needed: int) -> bytes | None:
    """Compresses a PNG's lines anew; None where more than a corner of them lacks.

    Args:
        data: a zlib stream, perhaps cut.
        needed: bytes of all lines.
    """
    came, result = 0, []
    # Without its header, so that the checksum at its end is not asked for.
    inflate, deflate, left = zlib.decompressobj(-15), zlib.compressobj(1), data[2:]
    try:
        while came < needed and (part := inflate.decompress(left, min(STEP, needed - came))):
            came += len(part)
            result.append(deflate.compress(part))
            left = inflate.unconsumed_tail
    except zlib.error:
        pass  # from here on it is damaged
    if needed - came > needed * MAX_MISSING:
        return None
    result.append(deflate.compress(bytes(needed - came)))
    return b"".join([*result, deflate.flush()])
