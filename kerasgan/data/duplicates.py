"""Pictures that are the same, or nearly: re-encoded, resized or brightened copies."""

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

SIDE = 16  # pixels of the small grey pictures that are compared

# From this correlation on, two pictures count as the same. Re-encoding at quality 60, resizing to
# 70%, brightening by 8% and turning grey keep it above 0.998; the same person in the same studio
# with another expression reaches 0.994.
MIN_CORRELATION = 0.995

BLOCK = 1024  # pictures compared with all others at once; 400 MB for 100,000


def descriptor(pixels: np.ndarray) -> np.ndarray:
    """Reduces a picture to what duplicates have in common.

    Args:
        pixels: uint8, (H, W, C), C being 1 or 3.

    Returns:
        float32, (SIDE * SIDE,), of mean 0 and length 1; zeros for a picture of one colour.
    """
    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).convert("L")
    small = image.resize((SIDE, SIDE), Image.Resampling.BOX)
    values = np.asarray(small, np.float32).ravel()
    values -= values.mean()
    return values / max(float(np.linalg.norm(values)), 1e-6)


def near_pairs(
    descriptors: np.ndarray, least: float = MIN_CORRELATION
) -> Iterator[tuple[int, int]]:
    """Yields the pairs of pictures that are nearly the same, the lower number first.

    Args:
        descriptors: float32, (N, D), rows of length 1.
        least: the correlation from which on a pair counts.
    """
    for start in range(0, len(descriptors), BLOCK):
        block = descriptors[start : start + BLOCK]
        similar = block @ descriptors[start:].T >= least
        for row, column in np.argwhere(np.triu(similar, 1)):
            yield start + int(row), start + int(column)


def equal_pairs(keys: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """Yields each later picture with the first one that has the same key."""
    first: dict[bytes, int] = {}
    for number, key in enumerate(keys):
        if first.setdefault(key, number) != number:
            yield first[key], number


def groups(pairs: Iterator[tuple[int, int]]) -> list[list[int]]:
    """Joins pairs that share pictures, each group and the list of them in ascending order."""
    leader: dict[int, int] = {}

    def find(number: int) -> int:
        while leader.setdefault(number, number) != number:
            leader[number] = leader[leader[number]]
            number = leader[number]
        return number

    for one, other in pairs:
        low, high = sorted((find(one), find(other)))
        leader[high] = low
    members: dict[int, list[int]] = {}
    for number in sorted(leader):
        members.setdefault(find(number), []).append(number)
    return list(members.values())
