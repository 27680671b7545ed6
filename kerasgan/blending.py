"""Pictures put into others: without a seam, and at the place that they were cut from."""

import math
from collections.abc import Sequence
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
from PIL import Image

from kerasgan.errors import required

EXTRA = "restore"  # of setup.cfg, with OpenCV
THICK = 5  # pixels: what is missing in narrower pieces has no edge to speak of
GROWN = 4  # pixels: OpenCV takes 3 off a piece, and one more keeps a seam out of its slopes
FEATHER = 1 / 16  # of a square's side: where it passes into the picture round it
OPAQUE = 255


class Place(NamedTuple):
    """A square of a picture, in pixels from the picture's upper left corner.

    Attributes:
        corner: x and y of the square's own upper left corner.
        along: the vector of its upper edge, from left to right.
        down: the vector of its left edge, downwards.
    """

    corner: np.ndarray
    along: np.ndarray
    down: np.ndarray

    @classmethod
    def of_box(cls, left: float, upper: float, right: float, lower: float) -> "Place":
        """A box with upright edges."""
        return cls(
            np.array([left, upper]), np.array([right - left, 0.0]), np.array([0.0, lower - upper])
        )

    @classmethod
    def of_square(cls, centre: np.ndarray, edge: np.ndarray) -> "Place":
        """A square by its middle and its upper edge."""
        down = np.array([-edge[1], edge[0]])
        return cls(centre - (edge + down) / 2, edge, down)

    def scaled(self, factor: float) -> "Place":
        """The same place in a picture that is so many times as large."""
        return Place(self.corner * factor, self.along * factor, self.down * factor)

    def ends(self, width: int, height: int) -> list[bool]:
        """Whether a picture of a size ends with it: on the left, above, on the right, below."""
        if self.along[1] or self.down[0]:
            return [False] * 4  # it is turned
        near = (self.corner, [width, height] - self.corner - [self.along[0], self.down[1]])
        return [bool(gap < 0.5) for gap in np.concatenate(near)]


def available() -> bool:
    """Whether OpenCV is installed, which blends."""
    return find_spec("cv2") is not None


def blend(drawn: np.ndarray, picture: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Fills a picture without a seam (Perez et al. 2003, "Poisson Image Editing"; OpenCV).

    What is drawn keeps its differences from pixel to pixel, and meets the picture at the edge. So
    it is where a piece is at least `THICK` pixels wide; in narrower ones it is what was drawn.

    Args:
        drawn: uint8, (H, W, C): what to fill with.
        picture: uint8, (H, W, C).
        known: bool, (H, W): the pixels that stay, to the bit.

    Returns:
        uint8, (H, W, C).

    Raises:
        UserError: OpenCV is not installed.
    """
    cv2 = required("cv2", EXTRA, "Blending")
    filled = np.where(known[..., None], picture, drawn)
    missing = np.where(known, 0, OPAQUE).astype(np.uint8)
    pieces = cv2.morphologyEx(missing, cv2.MORPH_OPEN, np.ones((THICK, THICK), np.uint8))
    if not pieces.any() or known.sum() < THICK:
        return filled
    # Beyond its edges a picture goes on as it ends, so that what is missing there is hardly held.
    wide = [(side // 2, side // 2) for side in known.shape]
    around = np.pad(pieces, wide, mode="edge")
    grown = cv2.dilate(around, np.ones((3, 3), np.uint8), iterations=GROWN)
    grown[:GROWN] = grown[-GROWN:] = grown[:, :GROWN] = grown[:, -GROWN:] = 0
    smooth = cv2.inpaint(_rgb(picture), missing, THICK, cv2.INPAINT_TELEA)  # no step at the edge
    source, target = (np.pad(x, [*wide, (0, 0)], mode="edge") for x in (_rgb(drawn), smooth))
    left, upper, width, height = cv2.boundingRect(grown)
    middle = (left + width // 2, upper + height // 2)
    cloned = cv2.seamlessClone(source, target, grown, middle, cv2.NORMAL_CLONE)
    (top, _), (edge, _) = wide
    inner = cloned[top : top + known.shape[0], edge : edge + known.shape[1], : picture.shape[-1]]
    return np.where(known[..., None] | (pieces == 0)[..., None], filled, inner)


def _rgb(picture: np.ndarray) -> np.ndarray:
    return np.repeat(picture, 3 // picture.shape[-1], axis=-1)


def paste(
    picture: np.ndarray, patch: np.ndarray, place: Place, known: np.ndarray | None = None
) -> np.ndarray:
    """Puts a square into a picture, at any angle and size.

    Args:
        picture: uint8, (H, W, C).
        patch: uint8, (S, S, C).
        place: where the patch belongs.
        known: bool, (S, S): of the patch, what stays as the picture has it, and the rest is
            blended in where OpenCV is there; None to put all of it, its border faded.

    Returns:
        uint8, (H, W, C); pixels that the patch does not cover are the picture's to the bit.
    """
    height, width = picture.shape[:2]
    weight = np.where(known, 0, OPAQUE) if known is not None else None
    if weight is None:
        weight = _faded(len(patch), place.ends(width, height))
    weight = weight.astype(np.uint8)
    put = _laid(patch, place, (width, height))
    weight = _laid(weight[..., None], place, (width, height))
    if known is None or not available():
        opacity = weight / np.float32(OPAQUE)
        mixed = np.rint(picture * (1 - opacity) + put * opacity).astype(np.uint8)
        return np.where(weight > 0, mixed, picture)
    missing = weight[..., 0] > OPAQUE // 2
    if not missing.any():
        return picture
    rows, columns = (_around(np.flatnonzero(missing.any(axis=axis))) for axis in (1, 0))
    part = np.s_[rows, columns]
    result = picture.copy()
    result[part] = blend(put[part], picture[part], ~missing[part])
    return result


def _around(places: np.ndarray) -> slice:
    """Returns the part of a row that holds some places and a few more."""
    return slice(max(0, places[0] - 2 * THICK), places[-1] + 1 + 2 * THICK)


def _faded(side: int, ends: Sequence[bool]) -> np.ndarray:
    """Returns the weights of a square that passes into what is round it, (side, side).

    Args:
        side: of the square, pixels.
        ends: whether there is nothing beside it: left, above, right, below.
    """
    rise = np.clip((np.arange(side) + 0.5) / (side * FEATHER), 0, 1)
    left, above, right, below = (np.ones(side) if end else rise for end in ends)
    return np.rint(OPAQUE * np.outer(above * below[::-1], left * right[::-1]))


def _laid(patch: np.ndarray, place: Place, size: tuple[int, int]) -> np.ndarray:
    """Lays a patch (S, S, C) on an empty picture of a size, width and height; uint8 (H, W, C)."""
    image = Image.fromarray(patch[..., 0] if patch.shape[-1] == 1 else patch)
    lengths = [max(1, round(math.hypot(*vector))) for vector in (place.along, place.down)]
    image = image.resize(lengths, Image.Resampling.LANCZOS)  # as large as there, by a good filter
    edges = np.stack([place.along, place.down], axis=1)
    inverse = np.diag(lengths) @ np.linalg.inv(edges)
    offset = -inverse @ place.corner
    matrix = np.hstack([inverse, offset[:, None]])
    laid = image.transform(
        size, Image.Transform.AFFINE, matrix.ravel().tolist(), Image.Resampling.BICUBIC
    )
    return np.asarray(laid).reshape(*size[::-1], -1)
