"""What the shape of an array of pictures says, and what to type where it says something else."""

import math

import numpy as np

from kerasgan.data.decode import MAX_PIXELS, MAX_RATIO, Rejected
from kerasgan.errors import UserError
from kerasgan.text import printable

CHANNELS = (1, 3, 4)
RULE = (
    "An array of pictures should have shape (N, H, W), (N, H, W, C) or (N, C, H, W), C 1, 3 or 4, "
    f"with at most {MAX_PIXELS:,} pixels each"
)
MIN_ROW = 4  # pixels a side; fewer numbers in a row are no picture
ONE = (
    "It looks like one picture: save it as a PNG file, or several in one array, "
    "np.stack([one, another])"
)

Shape = tuple[int, ...]


def find_channels_first(shape: Shape, dtype: np.dtype, title: str) -> bool:
    """Says whether the channels of an array of pictures come before height and width.

    Args:
        shape: of the array.
        dtype: of its numbers.
        title: what the user named, for messages.

    Raises:
        UserError: the shape or the kind of numbers is not that of pictures.
    """
    pixels = math.prod(shape[1:]) // max(CHANNELS)  # at least these, whatever is the channels
    last = len(shape) == 3 or (len(shape) == 4 and shape[3] in CHANNELS)
    first = not last and len(shape) == 4 and shape[1] in CHANNELS
    usable = min(shape, default=0) > 0 and pixels <= MAX_PIXELS and dtype.kind in "biuf"
    hint = _hint(shape, dtype)
    if hint or not usable or not (last or first):
        raise UserError(
            f"{RULE}, of numbers. Received: {printable(title)}, with {shape} of {dtype}."
            f"{hint and f' {hint}.'}"
        )
    return first


def to_picture(values: np.ndarray, shape: list[int]) -> np.ndarray:
    """Returns numbers as a picture, channels last.

    Args:
        values: in any shape.
        shape: (H, W), (H, W, C) or (C, H, W); nothing for a square.

    Raises:
        Rejected: they are no picture of that shape.
    """
    count = values.size
    if not shape:
        grey, colour = math.isqrt(count), math.isqrt(count // 3)
        if count not in (grey**2, 3 * colour**2):
            raise Rejected(f"{count:,} pixels without a height and a width")
        shape = [grey, grey] if grey**2 == count else [colour, colour, 3]
    if min(shape) < 1 or math.prod(shape[:2]) > MAX_PIXELS * 4:
        raise Rejected(f"no picture of {shape}")
    if len(shape) == 2:
        shape = [*shape, max(1, count // math.prod(shape))]
    if math.prod(shape) != count:
        raise Rejected(f"{count:,} pixels where {shape} should be")
    first = shape[2] not in CHANNELS and shape[0] in CHANNELS
    if not first and shape[2] not in CHANNELS:
        raise Rejected(f"{shape[2]} channels")
    pixels = values.reshape(shape)
    return np.moveaxis(pixels, 0, -1) if first else pixels


def _hint(shape: Shape, dtype: np.dtype) -> str:
    """Says what an array might be that is none of pictures, and what to type; "" without a clue."""
    if dtype.names:
        return f"Save one of its fields, array[{dtype.names[0]!r}] for example"
    if dtype.kind not in "biuf" or any(side < 0 for side in shape):
        return ""
    if 0 in shape:
        return "It is empty"
    hints = {2: _hint_2d, 3: _hint_3d, 4: _hint_4d, 5: _hint_5d}
    return hints[len(shape)](shape) if len(shape) in hints else ""


def _hint_2d(shape: Shape) -> str:
    count, numbers = shape
    grey, colour = math.isqrt(numbers), math.isqrt(numbers // 3)
    if count == numbers or min(grey, colour) < MIN_ROW:
        return ONE if _is_pictures_shape(count, numbers) else ""
    if numbers == grey**2:
        return f"For rows of {grey}x{grey} grey pixels, save array.reshape(-1, {grey}, {grey})"
    if numbers == 3 * colour**2:
        side = f"{colour}, {colour}"
        return (
            f"For rows of {colour}x{colour} pixels, save array.reshape(-1, {side}, 3), or "
            f"array.reshape(-1, 3, {side}) where all the reds come first"
        )
    return ONE if _is_pictures_shape(count, numbers) else ""


def _hint_3d(shape: Shape) -> str:
    first, middle, last = shape
    greys = f"for {first} grey pictures save array[..., None]"
    if last in CHANNELS and middle != last and _is_pictures_shape(first, middle):
        return ONE
    if first == 3 and middle > 3 and _is_pictures_shape(middle, last):
        return f"{ONE}; {greys}"
    if first == middle != last and last > max(CHANNELS):
        return f"For pictures along the last axis, save np.moveaxis(array, -1, 0); {greys}"
    return ""


def _hint_4d(shape: Shape) -> str:
    rows, columns, channels, _ = shape
    along_last = channels in CHANNELS and columns > MAX_RATIO * channels
    if along_last and _is_pictures_shape(rows, columns):
        return "For pictures along the last axis, save np.moveaxis(array, -1, 0)"
    return ""


def _hint_5d(shape: Shape) -> str:
    if shape[4] in CHANNELS or shape[2] in CHANNELS:
        return "For groups of pictures, save array.reshape(-1, *array.shape[2:])"
    return ""


def _is_pictures_shape(height: int, width: int) -> bool:
    """Whether a picture, not a list of something, may be so high and wide."""
    shorter, longer = sorted((height, width))
    return longer <= MAX_RATIO * shorter
