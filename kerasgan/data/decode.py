"""One picture, of any kind, to one square of RGB or grey."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from kerasgan.data.colours import to_rgb
from kerasgan.data.kinds import BEGINS, HEIC_INSTALL, HEIC_UNREAD, RAW, kind_of, reason_of
from kerasgan.data.mend import lacks_a_part, mended, read_jpeg
from kerasgan.data.source import Raw, Rejected
from kerasgan.errors import UserError, required
from kerasgan.text import first_line

WHOLE_CROPS = ("auto", "center", "celeba", "none")  # give one picture for each
FACE = "face"  # the crop that gives a picture for each face in a photograph
CROPS = (*WHOLE_CROPS, FACE)
CELEBA_SIZE = (178, 218)  # width, height of CelebA's aligned pictures
CELEBA_BOX = (0, 15, 178, 193)  # the tutorial's crop: left, upper, right, lower

# A file is opened as one of these or not at all: Pillow also knows formats that start other
# programs (EPS starts Ghostscript), and a name's ending does not say what is inside.
FORMATS = (
    *("PNG", "WEBP", "GIF", "TIFF", "BMP", "DIB", "PPM", "AVIF", "JPEG2000", "PSD", "QOI", "ICO"),
    *("ICNS", "CUR", "DDS", "PCX", "DCX", "SGI", "SUN", "XBM", "XPM", "MSP", "PCD", "TGA"),
)  # besides JPEG with MPO, and HEIC; TGA last, as it has no sign to know it by
JPEGS = ("JPEG", "MPO")
ANIMATED = ("GIF", "PNG", "WEBP", "AVIF")

MIN_SIDE = 4  # pixels, the smallest `--size`; a picture below that is a dot or a line
MAX_RATIO = 10  # longer side to shorter side; beyond it, a crop shows a stripe of the picture
MAX_PIXELS = 89_478_485  # decoded; Pillow's own warning limit: 256 MiB of RGB for each thread
MAX_HELD = 6 * MAX_PIXELS  # bytes that decoding a JPEG file may take besides: 512 MiB
SCALES = (1, 2, 4, 8)  # a JPEG file is decoded at a whole, a half, a quarter or an eighth
DRAFT_MARGIN = 3  # JPEG is decoded at a reduced scale at least this many times the wanted size
ZEROS = 16  # bytes at a file's end that make it look unfinished
MAX_MENDED = 256 * 2**20  # bytes of a file that is looked at again because it is broken

DNG_VERSION = 0xC612  # the TIFF tag
ORIENTATION = 0x0112  # the EXIF tag
TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = (5, 6, 7, 8)  # orientations that swap width and height


class Broken(Rejected):
    """A file that Pillow does not read, although its kind is known; perhaps it can be mended."""


class Loaded(NamedTuple):
    """A decoded picture as it lies in its file.

    Attributes:
        image: its pixels; a JPEG file's may be at a reduced scale.
        width: of the whole picture, in pixels.
        height: of the whole picture, in pixels.
        format: what the file is, "JPEG" for example; "array" for pixels.
        mode: Pillow's name of how its pixels are kept.
        orientation: what its EXIF tag says, 1 to 8.
    """

    image: Image.Image
    width: int
    height: int
    format: str
    mode: str
    orientation: int = 1


class Upright(NamedTuple):
    """A picture opened, turned upright and made RGB, not cropped yet.

    Attributes:
        image: RGB; a JPEG file's may be at a reduced scale.
        width: of the whole picture, in pixels.
        height: of the whole picture, in pixels.
        format: what the file is, "JPEG" for example; "array" for pixels.
        mode: Pillow's name of how its pixels were kept, "RGB" or "L" for example.
        turned: whether its EXIF tag said that it does not stand upright.
        over_white: whether it had transparent parts, now white.
    """

    image: Image.Image
    width: int
    height: int
    format: str
    mode: str
    turned: bool
    over_white: bool


class Decoded(NamedTuple):
    """A decoded picture and what had to be done to it.

    Attributes:
        pixels: uint8 in 0..255, (size, size, C): RGB, or grey with C = 1.
        enlarged: whether the crop was smaller than the wanted size.
        over_white: whether the picture had transparent parts, now white.
    """

    pixels: np.ndarray
    enlarged: bool
    over_white: bool


def decode(raw: Raw, size: int, crop: str = "auto", channels: int = 3) -> Decoded:
    """Reads a picture, turns it upright, crops it and resizes it.

    Args:
        raw: a file's path or bytes, or pixels, see `open_upright`.
        size: height and width of the result, in pixels.
        crop: one of `WHOLE_CROPS`, see `crop_box`.
        channels: 3 for RGB, 1 for grey (ITU-R 601 luma).

    Returns:
        The pixels, (size, size, channels), and what was done to them.

    Raises:
        Rejected: the picture cannot be read or is not usable.
    """
    return cut(open_upright(raw, DRAFT_MARGIN * size), size, crop, channels)


def open_upright(raw: Raw, at_least: int | None = None) -> Upright:
    """Reads a picture and turns it upright.

    Args:
        raw: a picture file's path or its bytes, of which the first frame counts, or pixels,
            uint8 (H, W) or (H, W, C) with 1, 3 or 4 channels.
        at_least: width and height in pixels down to which a JPEG file may be decoded at a
            reduced scale; None for its full scale.

    Raises:
        Rejected: the picture cannot be read or is not usable.
    """
    image, width, height, file_format, mode, orientation = _load(raw, at_least)
    rgb, over_white = to_rgb(image)
    turned = orientation in TRANSPOSES
    if turned:
        rgb = rgb.transpose(TRANSPOSES[orientation])
    if orientation in SIDEWAYS:
        width, height = height, width
    return Upright(rgb, width, height, file_format, mode, turned, over_white)


def has_frames(raw: Raw) -> bool:
    """Whether a picture file is an animation, of which the first frame counts.

    Raises:
        Rejected: it cannot be read.
    """
    if isinstance(raw, np.ndarray):
        return False
    with _opened(raw) as file, _open(file) as image, _pillow():
        return image.format in ANIMATED and bool(getattr(image, "is_animated", False))


def cut(upright: Upright, size: int, crop: str = "auto", channels: int = 3) -> Decoded:
    """Crops and resizes an upright picture; for arguments and result see `decode`."""
    width, height = upright.width, upright.height
    left, upper, right, lower = crop_box(width, height, crop)
    # Both are below 1 where a JPEG file was decoded at a reduced scale.
    scale_x, scale_y = upright.image.width / width, upright.image.height / height
    box = (left * scale_x, upper * scale_y, right * scale_x, lower * scale_y)
    enlarged = min(right - left, lower - upper) < size
    pixels = to_channels(resize(upright.image, size, box), channels)
    return Decoded(pixels, enlarged, upright.over_white)


def to_channels(image: Image.Image, channels: int) -> np.ndarray:
    """Returns an RGB picture's pixels, uint8 (H, W, channels), channels being 3 or 1 (grey)."""
    if channels == 1:
        return np.asarray(image.convert("L"))[..., np.newaxis]
    return np.asarray(image)


def crop_box(width: int, height: int, crop: str) -> tuple[float, float, float, float]:
    """Chooses the part of an upright picture that is kept.

    Args:
        width: the picture's, in pixels.
        height: the picture's, in pixels.
        crop: "center" keeps the largest centred square, "celeba" the tutorial's box scaled to
            the picture, "none" the whole picture (which resizing then squashes into a square);
            "auto" keeps the tutorial's box where the picture has CelebA's 178x218 pixels, and
            the centred square otherwise.

    Returns:
        Left, upper, right and lower edge, in pixels.
    """
    if crop == "none":
        return 0, 0, width, height
    if crop == "celeba" or (crop == "auto" and (width, height) == CELEBA_SIZE):
        x, y = width / CELEBA_SIZE[0], height / CELEBA_SIZE[1]
        left, upper, right, lower = CELEBA_BOX
        return left * x, upper * y, right * x, lower * y
    side = min(width, height)
    left, upper = (width - side) // 2, (height - side) // 2
    return left, upper, left + side, upper + side


def resize(
    image: Image.Image, size: int, box: tuple[float, float, float, float] | None = None
) -> Image.Image:
    """Resizes a part of a picture to a square, antialiased.

    Lanczos is the tutorial's filter (`Image.ANTIALIAS` was its old name), and the sharpest of
    those that Pillow widens by the scale, so that every source pixel counts.

    Args:
        image: an RGB picture.
        size: height and width of the result, in pixels.
        box: left, upper, right, lower of the part; the whole picture unless given.
    """
    return image.resize((size, size), Image.Resampling.LANCZOS, box=box)


def check_dimensions(width: int, height: int, scale: int = 1) -> None:
    """Raises `Rejected` for a picture that is too small, too narrow or too large to use.

    Args:
        width: the whole picture's, in pixels.
        height: the whole picture's, in pixels.
        scale: what it is reduced by when it is decoded.
    """
    shorter, longer = sorted((width, height))
    if shorter < MIN_SIDE:
        raise Rejected(f"too small: {width}x{height}")
    if longer > MAX_RATIO * shorter:
        raise Rejected(f"too narrow: {width}x{height}")
    if -(-width // scale) * -(-height // scale) > MAX_PIXELS:
        raise Rejected(f"too large: {width}x{height}")


def _load(raw: Raw, at_least: int | None) -> Loaded:
    """Decodes a picture; a file that is not whole is mended first, if the picture is.

    Raises:
        Rejected: it cannot be read or is not usable.
    """
    if isinstance(raw, np.ndarray):
        image = Image.fromarray(raw[..., 0] if raw.shape[2:] == (1,) else raw)
        check_dimensions(*image.size)
        return Loaded(image, *image.size, "array", image.mode)
    with _opened(raw) as file:
        try:
            return _whole(_load_file(file, at_least), file, at_least)
        except Broken:
            copy = _mended(file, at_least)
            if copy is None:
                raise
            return _load_file(io.BytesIO(copy), at_least)


def _load_file(file: BinaryIO, at_least: int | None) -> Loaded:
    with _open(file) as image:
        file_format, mode, (width, height) = image.format or "", image.mode, image.size
        scale = _scale(image, at_least)
        check_dimensions(width, height, scale)
        if scale > 1:
            _check_held(width, height, file)
            with _pillow():
                image.draft(None, (width // scale, height // scale))
        drafted = image.size
        with _pillow():
            image.load()
        if file_format == "TIFF" and image.size != drafted:  # Pillow has turned it upright
            width, height = height, width
        elif image.size != drafted:  # an icon of several sizes
            width, height = image.size
        return Loaded(image, width, height, file_format, mode, _orientation(image))


def _scale(image: Image.Image, at_least: int | None) -> int:
    """Returns what a picture is reduced by when it is decoded: 1, and for JPEG up to 8."""
    if image.format not in JPEGS:
        return 1
    width, height = image.size
    least = next((s for s in SCALES if -(-width // s) * -(-height // s) <= MAX_PIXELS), SCALES[-1])
    wanted = 1 if at_least is None else min(width, height) // at_least
    return max(scale for scale in SCALES if scale <= max(wanted, least))


def _check_held(width: int, height: int, file: BinaryIO) -> None:
    """Raises `Rejected` for a large JPEG file of which a decoder holds all at full scale."""
    if width * height <= MAX_PIXELS:
        return
    place = file.tell()
    jpeg = read_jpeg(_read_again(file), scans=1)
    file.seek(place)
    if jpeg is not None and jpeg.held > MAX_HELD:
        raise Rejected(f"too large: {width}x{height}, as a progressive JPEG: save it smaller")


def _whole(loaded: Loaded, file: BinaryIO, at_least: int | None) -> Loaded:
    """Returns a decoded picture, unless its JPEG file ends in its midst and says nothing of it.

    Decoders fill what is missing with a grey, or with what zeros mean where a file was made at
    its full length before its bytes came. Pictures that end in either are looked at again.

    Raises:
        Rejected: the lower part is missing.
    """
    if loaded.format not in JPEGS:
        return loaded
    lowest = loaded.image.crop((0, loaded.image.height - 1, *loaded.image.size))
    ends_grey = bool((np.asarray(lowest) == 128).all())
    if ends_grey or _ends_in_zeros(file):
        data = _read_again(file)
        if data and lacks_a_part(data, partial(_pixels, at_least=at_least), ends_grey):
            raise Rejected("damaged: its lower part is missing")
    return loaded


def _ends_in_zeros(file: BinaryIO) -> bool:
    with _pillow():
        file.seek(-min(ZEROS, file.seek(0, io.SEEK_END)), io.SEEK_END)
        return not any(file.read())


def _mended(file: BinaryIO, at_least: int | None) -> bytes | None:
    data = _read_again(file)
    try:
        return mended(data, partial(_pixels, at_least=at_least)) if data else None
    except Rejected:
        return None


def _pixels(data: bytes, at_least: int | None) -> Image.Image:
    return _load_file(io.BytesIO(data), at_least).image


def _read_again(file: BinaryIO) -> bytes:
    """Reads a whole file, unless it is larger than any that could be of use."""
    with _pillow():
        file.seek(0)
        data = file.read(MAX_MENDED + 1)
    return data if len(data) <= MAX_MENDED else b""


@contextmanager
def _pillow() -> Iterator[None]:
    """Turns whatever Pillow, or the system, raises for a file into `Rejected`.

    Each format's reader raises errors of its own, so every exception counts. The block should
    hold one call of Pillow and no code of ours, whose mistakes would pass for damaged pictures.
    """
    try:
        yield
    except (MemoryError, Image.DecompressionBombError) as error:
        raise Rejected(reason(error)) from error
    except OSError as error:
        told = error.errno is not None  # by the system
        raise (Rejected if told else Broken)(reason(error)) from error
    except Exception as error:
        raise Broken(reason(error)) from error


@contextmanager
def _opened(raw: str | bytes) -> Iterator[BinaryIO]:
    """Gives a file that Pillow does not close."""
    if isinstance(raw, bytes):
        yield io.BytesIO(raw)
        return
    with _pillow():
        file = open(raw, "rb")
    with file:
        yield file


def _open(file: BinaryIO) -> Image.Image:
    """Opens a picture file by what is in it, as one of the formats that are named here.

    Raises:
        Rejected: it is none of these.
        Broken: it is, but cannot be opened.
    """
    with _pillow():
        file.seek(0)
        begins = file.read(BEGINS)
        file.seek(0)
    kind, formats = kind_of(begins), _formats()
    if kind == "HEIC":
        return _open_heic(file)
    if kind is None and (why := reason_of(begins)):
        raise Rejected(why)
    if kind == "JPEG":
        return _open_jpeg(file)
    try:
        with _pillow():
            image = Image.open(file, formats=formats)
    except Broken as error:
        if kind is None:
            raise Rejected(str(error)) from error
        if kind not in formats:
            why = f"{kind}, which this version of Pillow does not read: save it as PNG or JPEG"
            raise Rejected(why) from error
        raise Broken(f"damaged: its head is not that of a {kind} file") from error
    if image.format == "TIFF" and DNG_VERSION in getattr(image, "tag_v2", ()):
        raise Rejected(RAW)
    return image


def _open_jpeg(file: BinaryIO) -> Image.Image:
    """Not by `Image.open`, which refuses what is large before it is reduced."""
    from PIL.JpegImagePlugin import jpeg_factory

    with _pillow():
        return jpeg_factory(file)


def _open_heic(file: BinaryIO) -> Image.Image:
    try:
        plugin = required("pillow_heif.as_plugin", "heic")
    except UserError as error:
        raise Rejected(f"{HEIC_UNREAD}: {HEIC_INSTALL}") from error
    with _pillow():
        return plugin.HeifImageFile(file)


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(ORIENTATION, 1)
    except Exception:  # Pillow's, of damaged EXIF, which does not make the pixels worse
        return 1


@lru_cache(maxsize=1)
def _formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def reason(error: BaseException) -> str:
    """Says in a few words why a file gives no picture, from what reading it has raised."""
    if isinstance(error, UnidentifiedImageError):
        return "not a picture in a known format"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    if isinstance(error, FileNotFoundError):
        return "no longer there"
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    if isinstance(error, Image.DecompressionBombError):
        return f"too large: more than {2 * MAX_PIXELS:,} pixels"
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        return f"cannot be read: {error.strerror}"
    return f"damaged: {first_line(error)}"
