"""Which numbers are black and white in pictures that are kept as bare numbers, and to uint8.

A file of numbers does not say what they mean. The bulk of all its values tells: resizing leaves
a few above white and below black, and a few damaged pictures should cost themselves alone.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from kerasgan.data.decode import Rejected
from kerasgan.errors import UserError
from kerasgan.text import plural, printable


class Range(NamedTuple):
    """Which number is black and which one is white.

    Attributes:
        low: black.
        high: white.
    """

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """The values beyond which a picture is not of this range.

        A resize by Lanczos' filter leaves single values half a range outside, and a few per cent
        of them a quarter.

        Returns:
            The least value at all, the least of the bulk, the highest of it, the highest at all.
        """
        width = self.high - self.low
        return self.low - width, self.low - width / 4, self.high + width / 4, self.high + width

    @property
    def slightly_low(self) -> float:
        """From where on a value is below black by more than rounding."""
        return self.low - SLIGHT * (self.high - self.low)

    @property
    def slightly_high(self) -> float:
        """From where on a value is above white by more than rounding."""
        return self.high + SLIGHT * (self.high - self.low)

    @property
    def dim(self) -> float:
        """The brightest that a picture of a narrower range could be, all but black in this one."""
        return self.low + (self.high - self.low) / 128 if self.high > 1 else -math.inf


UNIT, SYMMETRIC, HALF = Range(0, 1), Range(-1, 1), Range(-0.5, 0.5)
BYTE, SIXTEEN = Range(0, 255), Range(0, 65535)
RANGES = (UNIT, SYMMETRIC, HALF, BYTE, SIXTEEN)

FEW = 0.001  # of the values: single odd ones
SINGLE = 0.02  # of the values: what pictures of low contrast have of nearly black and white
SOME = 0.05  # of the values: more than a resize leaves below -0.25 in [0, 1]
FAR = 0.1  # of a picture's values: more than a resize leaves a quarter outside of the range
MOST = 2 / 3  # of the pictures: the bulk; the others are rejected
SLIGHT = 0.02  # of a range's width: less is no overshoot to speak of
MANY = 0.25  # of the values: more than a resize leaves outside the range at all

# Values that pictures of one range have and those of another have not.
DARK, DARKEST = -0.25, -0.8  # [-1, 1], and only singly what a resize leaves of [0, 1]
ABOVE_UNIT, ABOVE_BYTE = UNIT.bounds[3], BYTE.bounds[3]

EDGES = sorted(
    {bound for found in RANGES for bound in found.bounds}
    | {found.slightly_low for found in RANGES}
    | {found.slightly_high for found in RANGES}
    | {found.dim for found in RANGES if found.high > 1}
    | {DARK, DARKEST, -0.6, 0.75, 64.0, 16384.0}
)


class Values:
    """Counts what tells the range of a set's numbers, picture by picture, in little memory.

    Args:
        title: what the user named, for messages.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.low, self.high = math.inf, -math.inf  # of the finite values
        self._kind: np.dtype | None = None
        self._count = np.zeros(len(EDGES) + 1, np.int64)  # of values between the edges
        self._pictures = 0
        self._fitting = dict.fromkeys(RANGES, 0)  # pictures that may be of each range
        self._beyond = {DARK: 0, DARKEST: 0, ABOVE_UNIT: 0, ABOVE_BYTE: 0}  # pictures beyond each

    @property
    def settled(self) -> bool:
        """Whether further pictures would tell nothing new."""
        return self._kind == np.uint8 and self.high > 1

    def add(self, picture: np.ndarray) -> None:
        """Looks at one picture's numbers, of any shape."""
        self._kind = picture.dtype
        if picture.dtype.kind == "b":
            return
        if picture.dtype == np.uint8:
            self.low, self.high = 0, max(self.high, float(picture.max()))
            return
        values = picture[np.isfinite(picture)].astype(np.float64)
        if not values.size:
            return
        self.low = min(self.low, float(values.min()))
        self.high = max(self.high, float(values.max()))
        found = np.bincount(np.searchsorted(EDGES, values), minlength=len(EDGES) + 1)
        self._count += found
        if not values.any():
            return  # black in whatever range
        self._pictures += 1
        for each in RANGES:
            self._fitting[each] += _fits(values, each)
        for edge in self._beyond:
            self._beyond[edge] += (_below if edge < 0 else _above)(found, edge) > FEW

    def decide(self) -> Range:
        """Returns the range of all the pictures.

        Raises:
            UserError: the values do not tell.
        """
        if self._kind is None or self.low > self.high:  # none was finite; or booleans
            return UNIT if self._kind == np.bool_ else BYTE
        if self._kind == np.uint8:
            return UNIT if self.high == 1 else BYTE
        found = self._chosen()
        if found is None or self._fitting[found] < MOST * self._pictures:
            raise self._ambiguous()
        below = _below(self._count, found.slightly_low)
        above = _above(self._count, found.slightly_high)
        # Around 0 lie standardised pictures, too, of which a third is beyond -1 and 1.
        if (below + above if found.low < 0 else max(below, above)) > MANY:
            raise self._ambiguous()
        return found

    def is_plain(self, found: Range) -> bool:
        """Whether the kind of numbers says by itself that this is the range."""
        usual = {"bool": UNIT, "uint8": BYTE}
        return self._kind is None or usual.get(self._kind.name) == found

    def _chosen(self) -> Range | None:
        """Chooses a range by what is beyond the narrower ones."""
        if not self._pictures:  # every value is 0
            return None
        bright = self._part_beyond(ABOVE_UNIT)
        if bright <= 1 - MOST:
            return self._chosen_below_byte()
        deep = self._part_beyond(ABOVE_BYTE)
        if bright < MOST or 1 - MOST < deep < MOST:
            return None  # pictures of several ranges
        if deep >= MOST:
            return SIXTEEN if _above(self._count, 16384) > FEW else None
        return BYTE if _above(self._count, 64) > FEW else None

    def _chosen_below_byte(self) -> Range | None:
        count = self._count
        dark, darkest = self._part_beyond(DARK), self._part_beyond(DARKEST)
        negative, deep = _below(count, UNIT.slightly_low), _below(count, DARK)
        if negative <= MANY and deep < SOME and darkest <= 1 - MOST:
            return UNIT
        if not (negative > MANY or darkest >= MOST or (dark >= MOST and deep >= SOME)):
            return None  # pictures of several ranges
        if self._ends_at(HALF):
            return HALF
        # Pictures in [0, 1] that their mean was taken from do not reach down to -0.6.
        reaches_down = _below(count, -0.6) > FEW or self.low == -1
        extreme = _below(count, -0.75) + _above(count, 0.75)
        return (
            SYMMETRIC if reaches_down and (extreme > SINGLE or self._ends_at(SYMMETRIC)) else None
        )

    def _ends_at(self, found: Range) -> bool:
        step = (found.high - found.low) / 255
        return abs(self.low - found.low) < step and abs(self.high - found.high) < step

    def _part_beyond(self, edge: float) -> float:
        return self._beyond[edge] / self._pictures

    def _ambiguous(self) -> UserError:
        low, high = self.low, self.high
        shift = f"(array {'-' if low > 0 else '+'} {abs(low):g})" if low else "array"
        typed = (
            "If these are black and white, save "
            f"({shift} * (255 / {high - low:g})).round().astype('uint8') instead; standardised "
            "pictures are array * std + mean first"
        )
        if low == high:
            typed = "Save pictures of 0 to 255, as uint8"
        elif self._kind == np.int8:
            typed = "What was uint8 once is array.view('uint8'): save that"
        values = f"every value {low:g}" if low == high else f"{self._kind} of {low:g} to {high:g}"
        return UserError(
            "Numbers of pictures should be 0 to 255, 0 to 1, -1 to 1, -0.5 to 0.5 or 0 to 65535, "
            f"all in the same range. Received: {printable(self.title)}, with {values}, which does "
            f"not tell. {typed}."
        )


def _below(counts: np.ndarray, edge: float) -> float:
    """Returns which fraction of the counted values is below, or at, an edge."""
    return float(counts[: EDGES.index(edge) + 1].sum() / counts.sum())


def _above(counts: np.ndarray, edge: float) -> float:
    """Returns which fraction of the counted values is above an edge."""
    return 1 - _below(counts, edge)


def _fits(values: np.ndarray, found: Range) -> bool:
    """Whether a picture's values, all finite, may be of a range."""
    least, low, high, highest = found.bounds
    if values.min() < least or values.max() > highest:
        return False
    outside = np.count_nonzero(values < low) + np.count_nonzero(values > high)
    return outside <= FAR * values.size and not 0 < values.max() <= found.dim


def to_uint8(values: np.ndarray, found: Range) -> tuple[np.ndarray, int]:
    """Turns one picture's numbers into uint8 of the same shape.

    Args:
        values: numbers or booleans.
        found: which of them are black and white.

    Returns:
        The picture, and how many of its values were outside of the range and clipped.

    Raises:
        Rejected: some are not finite, or they are out of range by more than a resize leaves.
    """
    if values.dtype == np.uint8 and found == BYTE:
        return np.ascontiguousarray(values), 0
    if not np.isfinite(values).all():
        raise Rejected("values that are not finite")
    numbers = values.astype(np.float64)
    if not _fits(numbers, found):
        raise Rejected(f"values out of range: {numbers.min():g} to {numbers.max():g}, not {found}")
    clipped = np.count_nonzero(numbers < found.low) + np.count_nonzero(numbers > found.high)
    scaled = np.rint((numbers - found.low) * 255 / (found.high - found.low))
    return np.clip(scaled, 0, 255).astype(np.uint8), clipped


def describe_range(found: Range, values: Values, clipped: Iterable[int]) -> list[str]:
    """Says what was decided of the values, where their kind does not say it, and what was clipped.

    Args:
        found: the range.
        values: what it was decided by.
        clipped: how many values of each picture were.
    """
    notes = [] if values.is_plain(found) else [f"values taken as {found}"]
    if count := sum(clipped):
        notes.append(f"{plural(count, 'value')} beyond {found}, clipped")
    return notes
