"""One picture, of any kind, to one square of RGB or grey."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from kerasgan.data.source import Raw
from kerasgan.text import first_line

WHOLE_CROPS = ("auto", "center", "celeba", "none")  # give one picture for each
FACE = "face"  # the crop that gives a picture for each face in a photograph
CROPS = (*WHOLE_CROPS, FACE)
CELEBA_SIZE = (178, 218)  # width, height of CelebA's aligned pictures
CELEBA_BOX = (0, 15, 178, 193)  # the tutorial's crop: left, upper, right, lower

# A file is opened as one of these or not at all: Pillow also knows formats that start other
# programs (EPS starts Ghostscript), and a name's ending does not say what is inside.
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "PPM", "AVIF")

MIN_SIDE = 16  # pixels; a face below that has no features
MAX_RATIO = 10  # longer side to shorter side; beyond it, a crop shows a stripe of the picture
MAX_PIXELS = 89_478_485  # Pillow's own warning limit: 256 MiB of RGB for each thread
DRAFT_MARGIN = 3  # JPEG is decoded at a reduced scale at least this many times the wanted size

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


class Rejected(Exception):
    """A file that gives no picture; the message is the reason, for `rejected.csv`."""


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


def decode(
    raw: Raw, size: int, crop: str = "auto", channels: int = 3, min_side: int = MIN_SIDE
) -> Decoded:
    """Reads a picture, turns it upright, crops it and resizes it.

    Args:
        raw: a file's path or bytes, or pixels, see `open_upright`.
        size: height and width of the result, in pixels.
        crop: one of `WHOLE_CROPS`, see `crop_box`.
        channels: 3 for RGB, 1 for grey (ITU-R 601 luma).
        min_side: pixels that the shorter side should have at least.

    Returns:
        The pixels, (size, size, channels), and what was done to them.

    Raises:
        Rejected: the picture cannot be read or is not usable.
    """
    return cut(open_upright(raw, DRAFT_MARGIN * size, min_side), size, crop, channels)


def open_upright(raw: Raw, at_least: int | None = None, min_side: int = MIN_SIDE) -> Upright:
    """Reads a picture and turns it upright.

    Args:
        raw: a picture file's path or its bytes, of which the first frame counts, or pixels,
            uint8 (H, W) or (H, W, C) with 1, 3 or 4 channels.
        at_least: width and height in pixels down to which a JPEG file may be decoded at a
            reduced scale; None for its full scale.
        min_side: pixels that the shorter side should have at least.

    Raises:
        Rejected: the picture cannot be read or is not usable.
    """
    with _open(raw) as image:
        full, file_format, mode = image.size, image.format or "array", image.mode
        check_dimensions(full[0], full[1], min_side)
        if at_least is not None:
            with _pillow():
                image.draft(None, (at_least, at_least))
        drafted = image.size
        with _pillow():
            image.load()
        if image.size != drafted:  # Pillow has turned a TIFF upright
            full = full[::-1]
        orientation = _orientation(image)
        rgb, over_white = to_rgb(image)
    turned = orientation in TRANSPOSES
    if turned:
        rgb = rgb.transpose(TRANSPOSES[orientation])
    width, height = full[::-1] if orientation in SIDEWAYS else full
    return Upright(rgb, width, height, file_format, mode, turned, over_white)


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


def to_rgb(image: Image.Image) -> tuple[Image.Image, bool]:
    """Converts a picture of any mode to 8-bit RGB, transparent parts over white.

    Args:
        image: a loaded picture.

    Returns:
        The RGB picture, and whether any of it was transparent.

    Raises:
        Rejected: the pixels have no range that could be scaled to 0..255.
    """
    if image.mode.startswith("I"):
        return _grey16_to_rgb(image), False
    if image.mode == "F":
        raise Rejected("floating-point pixels: save it with 8 or 16 bits")
    if not image.has_transparency_data:
        return _converted(image, "RGB"), False
    rgba = _converted(image, "RGBA")
    transparent = int(np.asarray(rgba.getchannel("A")).min()) < 255
    white = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(white, rgba).convert("RGB"), transparent


def check_dimensions(width: int, height: int, min_side: int = MIN_SIDE) -> None:
    """Raises `Rejected` for a picture that is too small, too narrow or too large to use."""
    shorter, longer = sorted((width, height))
    if shorter < min_side:
        raise Rejected(f"too small: {width}x{height}")
    if longer > MAX_RATIO * shorter:
        raise Rejected(f"too narrow: {width}x{height}")
    if width * height > MAX_PIXELS:
        raise Rejected(f"too large: {width}x{height}")


def _grey16_to_rgb(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 0xFFFF:
        raise Rejected("more than 16 bits a pixel: save it with 8 or 16 bits")
    grey = (values.astype(np.uint32) + 128) // 257  # 65535 / 255 = 257, rounded to nearest
    return Image.fromarray(grey.astype(np.uint8)).convert("RGB")


@contextmanager
def _pillow() -> Iterator[None]:
    """Turns whatever Pillow raises for a file into `Rejected`.

    Each format's reader raises errors of its own, so every exception counts. The block should
    hold one call of Pillow and no code of ours, whose mistakes would pass for damaged pictures.
    """
    try:
        yield
    except Exception as error:
        raise Rejected(reason(error)) from error


def _open(raw: Raw) -> Image.Image:
    if isinstance(raw, np.ndarray):
        return Image.fromarray(raw[..., 0] if raw.shape[2:] == (1,) else raw)
    file, formats = io.BytesIO(raw) if isinstance(raw, bytes) else raw, _formats()
    with _pillow():
        return Image.open(file, formats=formats)


def _converted(image: Image.Image, mode: str) -> Image.Image:
    with _pillow():  # a palette may be damaged, too
        return image.convert(mode)


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
