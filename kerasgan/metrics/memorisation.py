"""The memorisation sheet: samples beside the training pictures that are nearest to them."""

import numpy as np
from PIL import Image, ImageDraw

from kerasgan import images

PAIRS = 24  # on a sheet
COLUMNS = 4
SIDE = 128  # smaller pictures are enlarged by whole factors up to this, pixels
CAPTION = 16  # height of the line under a pair, pixels
GAP = 8  # pixels


def sheet(samples: np.ndarray, reals: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Lays out pairs in reading order: a sample, its training picture, and their distance.

    Args:
        samples: uint8, (N, H, W, 1 or 3).
        reals: uint8, as many and as large, 1 or 3 channels.
        distances: under each pair, (N,).

    Returns:
        uint8, (height, width, 3).
    """
    height, width = (side * max(1, SIDE // max(samples.shape[1:3])) for side in samples.shape[1:3])
    cell = (2 * width + GAP, height + CAPTION + GAP)
    rows, columns = images.grid_shape(len(samples), COLUMNS)
    whole = Image.new("RGB", (columns * cell[0] + GAP, rows * cell[1] + GAP), "white")
    draw = ImageDraw.Draw(whole)
    for index, (sample, real, distance) in enumerate(zip(samples, reals, distances, strict=True)):
        left = GAP + index % columns * cell[0]
        top = GAP + index // columns * cell[1]
        for place, picture in enumerate((sample, real)):
            enlarged = images.to_image(picture).resize((width, height), Image.Resampling.NEAREST)
            whole.paste(enlarged, (left + place * width, top))
        draw.text((left, top + height + 2), f"{distance:.2f}", fill="black")
    return np.asarray(whole)
