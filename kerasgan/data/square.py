"""Squares cut out of a picture at any angle."""

import numpy as np
from PIL import Image


def cut_square(
    picture: np.ndarray, centre: np.ndarray, edge: np.ndarray, size: int, resample: int
) -> Image.Image:
    """Cuts a square, which is mirrored where it reaches beyond the picture.

    The picture is read at one point for each pixel of the result, so its pixels should be about
    as large as those.

    Args:
        picture: uint8, (H, W, 3).
        centre: x and y of the square's middle, in pixels from the picture's upper left corner.
        edge: the vector along the square's upper edge, from left to right, in pixels.
        size: height and width of the result, in pixels.
        resample: one of `Image.Resampling`, for values between pixels.
    """
    along = edge / size
    down = np.array([-along[1], along[0]])
    origin = centre - (along + down) * size / 2
    reach = (np.abs(along) + np.abs(down)) * size / 2
    low = np.floor(centre - reach).astype(int) - 2  # the filters look at two pixels to each side
    high = np.ceil(centre + reach).astype(int) + 2
    columns = mirrored(np.arange(low[0], high[0]), picture.shape[1])
    rows = mirrored(np.arange(low[1], high[1]), picture.shape[0])
    return Image.fromarray(picture[np.ix_(rows, columns)]).transform(
        (size, size),
        Image.Transform.AFFINE,
        np.stack([along, down, origin - low], axis=1).ravel().tolist(),
        resample,
    )


def mirrored(indices: np.ndarray, length: int) -> np.ndarray:
    """Returns where pixels of a row lie that goes on mirrored, again and again, on both sides."""
    indices = indices % (2 * length)
    return np.minimum(indices, 2 * length - 1 - indices)
