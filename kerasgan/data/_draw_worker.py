"""Draws a slice of the built-in faces, here or as a process of its own.

python -m kerasgan.data._draw_worker PIXELS OFFSET START STOP SEED SIZE CHANNELS
"""

import csv
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from kerasgan.data.decode import resize, to_channels
from kerasgan.portraits import ATTRIBUTES, draw_portrait

IO_FAILED = 100  # added to `errno` in the exit code of a process that could not write


def attributes_part(folder: Path, start: int) -> Path:
    """Returns where the attributes of the slice that begins at `start` are kept meanwhile."""
    return folder / f"attributes-{start}.csv"


def draw_slice(
    pixels: Path, offset: int, start: int, stop: int, seed: int, size: int, channels: int
) -> Iterator[int]:
    """Draws faces into their places in a `.npy` file, yielding each one's number when done.

    Their attributes go into a file of the slice's own beside it, without a header.

    Args:
        pixels: the `.npy` file, of its final length.
        offset: where its pixels begin, in bytes.
        start: the first face's number.
        stop: one more than the last face's number.
        seed: chooses the faces.
        size: height and width of the pictures, in pixels.
        channels: 3 for RGB, 1 for grey.
    """
    part = attributes_part(pixels.parent, start)
    with open(pixels, "r+b") as file, open(part, "x", encoding="utf-8", newline="") as table:
        rows = csv.writer(table, lineterminator="\n")
        file.seek(offset + start * size * size * channels)
        for index in range(start, stop):
            portrait, attributes = draw_portrait(index, seed)
            picture = resize(Image.fromarray(portrait), size)
            file.write(to_channels(picture, channels).tobytes())
            signs = [1 if attributes[name] else -1 for name in ATTRIBUTES]
            rows.writerow([index, f"{index:06d}", *signs])
            yield index


def main(argv: list[str]) -> int:
    """Draws the slice in `argv`, writing one byte to standard output for each picture."""
    pixels, *numbers = argv
    offset, start, stop, seed, size, channels = map(int, numbers)
    try:
        for _ in draw_slice(Path(pixels), offset, start, stop, seed, size, channels):
            os.write(1, b".")
    except BrokenPipeError:  # whoever wanted the pictures is gone
        return 0
    except OSError as error:
        return IO_FAILED + (error.errno or 0)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
