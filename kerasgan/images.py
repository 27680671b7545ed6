"""The one conversion between [-1, 1] and uint8; grids; PNG and GIF writing.

Pictures are arrays of shape (N, H, W, C), RGB: uint8 on disk and on screen, float32 in
[-1, 1] for the networks.
"""

import io
import math
import os
import struct
from collections.abc import Iterable

import numpy as np
from PIL import Image

from kerasgan.errors import UserError
from kerasgan.files import atomic_path

MAX_FPS = 50  # browsers slow a GIF down that asks for more
PALETTE_SAMPLE = 2**14  # pixels that a palette is chosen by: more cost time and show no better
PALETTE_SETTLED = 500  # of them, may still change their colour when the search for one ends


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


def write_png(path: str | os.PathLike[str], picture: np.ndarray) -> None:
    """Writes one uint8 picture (H, W, C) as PNG, whole or not at all."""
    with atomic_path(path) as temporary:
        to_image(picture).save(temporary, format="PNG")


def gif_delay(fps: float) -> int:
    """Returns how long a GIF shows each frame, in its unit, hundredths of a second.

    Raises:
        UserError: `fps` is out of range.
    """
    if not 0.01 <= fps <= MAX_FPS:
        raise UserError(f"`--fps` should be from 0.01 to {MAX_FPS}. Received: {fps:g}.")
    return round(100 / fps)


def write_gif(
    path: str | os.PathLike[str], frames: Iterable[np.ndarray], fps: float, hold: float = 0.0
) -> int:
    """Writes an animation that loops for ever, whole or not at all, holding few frames at a time.

    Pillow, and imageio on top of it, keep every frame until the last is known. Here each frame
    is compressed by Pillow as a GIF of its own, with its own palette, and its blocks are copied
    into the animation.

    Args:
        path: where it goes.
        frames: at least one uint8 picture (H, W, C), all of one size; may be a generator.
        fps: frames per second, up to `MAX_FPS`; rounded to whole hundredths of a second a frame.
        hold: seconds that the last frame stays longer than the others.

    Returns:
        How many frames were written.

    Raises:
        UserError: `fps` is out of range.
        ValueError: there is no frame, or one differs in size.
    """
    delay = gif_delay(fps)
    held = min(delay + round(100 * hold), 0xFFFF)
    count, size, last = 0, None, b""
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        for frame in frames:
            image = to_image(frame).convert("RGB")
            if size is None:
                size = image.size
                file.write(_gif_head(*size))
            if image.size != size:
                raise ValueError(f"Frames should have one size. Received: {image.size}, {size}.")
            if count:  # the frame before this one turns out not to be the last
                file.write(_gif_timing(delay) + last)
            last = _gif_frame(image)
            count += 1
        if not count:
            raise ValueError("A GIF should have at least one frame. Received: none.")
        file.write(_gif_timing(held) + last + b"\x3b")
    return count


def to_palette(image: Image.Image) -> Image.Image:
    """Reduces an RGB image to the 256 colours that suit it best, dithered.

    Median cut alone leaves skin in visible steps; a few rounds of k-means on a sample of the
    pixels bring the palette close to the best one, and dithering hides what steps remain.
    """
    step = math.ceil(math.sqrt(image.width * image.height / PALETTE_SAMPLE))
    sample = Image.fromarray(np.ascontiguousarray(np.asarray(image)[::step, ::step]))
    palette = sample.quantize(256, Image.Quantize.MEDIANCUT, kmeans=PALETTE_SETTLED)
    return image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)


def _gif_head(width: int, height: int) -> bytes:
    """The file's header, without a palette for all, and the extension that loops it for ever."""
    screen = struct.pack("<6sHHBBB", b"GIF89a", width, height, 0x70, 0, 0)
    return screen + struct.pack("<BBB11sBBHB", 0x21, 0xFF, 11, b"NETSCAPE2.0", 3, 1, 0, 0)


def _gif_timing(hundredths: int) -> bytes:
    """The block before a frame: how long it stays; the next one is drawn over it."""
    return struct.pack("<BBBBHBB", 0x21, 0xF9, 4, 1 << 2, hundredths, 0, 0)


def _gif_frame(image: Image.Image) -> bytes:
    """One frame's descriptor, palette and compressed pixels."""
    buffer = io.BytesIO()
    to_palette(image).save(buffer, format="GIF", interlace=False)
    gif = buffer.getvalue()
    bits = gif[10] & 7  # the palette has 2 ** (bits + 1) colours of three bytes
    start = 13 + 3 * 2 ** (bits + 1)
    palette = gif[13:start]
    while gif[start] == 0x21:  # an extension: two bytes, then sub-blocks up to an empty one
        start += 2
        while gif[start]:
            start += gif[start] + 1
        start += 1
    pixels = gif[start + 10 : -1]  # between the descriptor and the file's last byte
    return struct.pack("<BHHHHB", 0x2C, 0, 0, *image.size, 0x80 | bits) + palette + pixels
