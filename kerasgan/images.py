"""The one conversion between [-1, 1] and uint8; grids; PNG files.

Pictures are arrays of shape (N, H, W, C), RGB: uint8 on disk and on screen, float32 in
[-1, 1] for the networks.
"""

import math
import os

import numpy as np
from PIL import Image

from kerasgan.files import Damaged, atomic_path, reading


def to_float(pictures: np.ndarray) -> np.ndarray:
    """Converts uint8 pictures in 0..255 to float32 in [-1, 1]."""
    return pictures.astype(np.float32) / np.float32(127.5) - np.float32(1)


def to_uint8(pictures: np.ndarray) -> np.ndarray:
    """Converts float pictures in [-1, 1] to uint8 in 0..255, rounding and clipping."""
    return np.clip(np.rint((pictures + 1) * 127.5), 0, 255).astype(np.uint8)


def grid_shape(count: int, columns: int | None = None) -> tuple[int, int]:
    """Returns the rows and columns of a grid that holds `count` pictures, near a square."""
    columns = columns or math.ceil(math.sqrt(count))
    return math.ceil(count / columns), columns


def make_grid(pictures: np.ndarray, columns: int | None = None) -> np.ndarray:
    """Lays pictures out in rows, in reading order, with no gap.

    Args:
        pictures: uint8, (N, H, W, C), N at least 1.
        columns: pictures in a row; the square root of N, rounded up, unless given.

    Returns:
        uint8, (rows * H, columns * W, C); places left over are black.
    """
    count, height, width, channels = pictures.shape
    rows, columns = grid_shape(count, columns)
    grid = np.zeros((rows * columns, height, width, channels), np.uint8)
    grid[:count] = pictures
    grid = grid.reshape(rows, columns, height, width, channels)
    return grid.swapaxes(1, 2).reshape(rows * height, columns * width, channels)


def to_image(picture: np.ndarray) -> Image.Image:
    """Wraps one uint8 picture (H, W, C), C being 1, 3 or 4, for Pillow."""
    return Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture)


def write_png(path: str | os.PathLike[str], picture: np.ndarray, durable: bool = True) -> None:
    """Writes one uint8 picture (H, W, C) as PNG, whole or not at all.

    Args:
        path: where it goes.
        picture: the pixels.
        durable: as for `atomic_path`.
    """
    with atomic_path(path, durable) as temporary:
        to_image(picture).save(temporary, format="PNG")


def read_png(path: str | os.PathLike[str]) -> Image.Image | None:
    """Reads a PNG whole; None for a file that is none or is damaged.

    No other format is tried, whatever the file's name: some start other programs.
    """
    try:
        with reading(), Image.open(path, formats=("PNG",)) as image:
            image.load()
    except Damaged:
        return None
    return image


def png_size(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """Reads width and height from a PNG's head; None for a file that has none."""
    try:
        with reading(), Image.open(path, formats=("PNG",)) as image:
            return image.size
    except Damaged:
        return None
