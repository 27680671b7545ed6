"""What is known of a picture: some of its pixels, a small copy, a noisy one, or all of it.

Each degradation is a few small functions in a row of its own. What a picture of a generator would
look like under one of them has slopes by the picture, so that a search can follow them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from kerasgan.backend import tf

Tensor = "tf.Tensor"
EXACT = 0.02  # deviation of what is known from a generator's best fit, of [-1, 1]


def _same(pictures: tf.Tensor) -> tf.Tensor:
    return pictures


def _leave(pictures: np.ndarray, _: np.ndarray) -> np.ndarray:
    return pictures


@dataclass(frozen=True)
class Degradation:
    """What is known of pictures, and what that means for those that are found.

    Attributes:
        see: pictures (B, H, W, C) to what is known of them, differentiable.
        show: what is known, to pictures (B, H, W, C) that show it, as an encoder and people see it.
        keep: pictures that were found and what is known, float32 arrays in [-1, 1], to pictures
            that agree with it exactly, where that makes sense.
        fraction: of the numbers that `see` gives, those that are known.
        sigma: deviation of what is known from what it should be, of [-1, 1]: the larger, the
            nearer a search stays to pictures that the generator would draw by itself.
        sharp: whether pictures as `show` gives them have their details, to compare them by.
    """

    see: Callable[[tf.Tensor], tf.Tensor] = _same
    show: Callable[[tf.Tensor], tf.Tensor] = _same
    keep: Callable[[np.ndarray, np.ndarray], np.ndarray] = _leave
    fraction: float = 1.0
    sigma: float = EXACT
    sharp: bool = True


def identity() -> Degradation:
    """All of a picture is known."""
    return Degradation()


def mask(known: np.ndarray) -> Degradation:
    """Some pixels are known; the others are shown as middle grey.

    Args:
        known: bool, (H, W), with at least one of each value.
    """
    ones = known.astype(np.float32)[..., None]
    return Degradation(
        see=lambda pictures: pictures * ones,
        keep=lambda pictures, seen: np.where(known[..., None], seen, pictures),
        fraction=float(known.mean()),
        sigma=0.03,
    )


def smaller(size: int, factor: int) -> Degradation:
    """A small copy is known, antialiased by the filter that prepares all pictures here.

    Args:
        size: side of the large picture, pixels.
        factor: how many times as long as the small one's.
    """
    small = size // factor
    down, up = _resizing(size, small), _resizing(small, size)
    back = np.linalg.pinv(down).astype(np.float32)  # to the smoothest picture with such a copy

    def keep(pictures: np.ndarray, known: np.ndarray) -> np.ndarray:
        return pictures + _resized(known - _resized(pictures, down, np), back, np)

    return Degradation(
        see=lambda pictures: _resized(pictures, down, tf),
        show=lambda known: _resized(known, up, tf),
        keep=keep,
        sigma=0.02,
        sharp=False,
    )


def noise(sigma: float) -> Degradation:
    """All is known, under normal noise.

    Args:
        sigma: its deviation, of [-1, 1].
    """
    return Degradation(sigma=max(sigma, EXACT), sharp=False)


def add_noise(pictures: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    """Adds normal noise to pictures, uint8 (N, H, W, C), sigma of 0..255; clips and rounds."""
    drawn = np.random.default_rng(seed).standard_normal(pictures.shape)
    return np.clip(np.rint(pictures + sigma * drawn), 0, 255).astype(np.uint8)


def estimate_noise(pictures: np.ndarray) -> np.ndarray:
    """Estimates the deviation of noise in pictures (Immerkaer 1996).

    The second difference of second differences says nothing of what is smooth.

    Args:
        pictures: (N, H, W, C), in any unit.

    Returns:
        float64, (N,), in that unit; median over places, so that edges count little.
    """
    rows = pictures[:, :-2] - 2.0 * pictures[:, 1:-1] + pictures[:, 2:]
    both = rows[:, :, :-2] - 2.0 * rows[:, :, 1:-1] + rows[:, :, 2:]
    return np.median(np.abs(both), axis=(1, 2, 3)) / (6 * 0.6745)


def box(size: int) -> np.ndarray:
    """Returns what is known around a centred box of half the side, bool (size, size)."""
    known = np.ones((size, size), bool)
    edge = size // 4
    known[edge : size - edge, edge : size - edge] = False
    return known


def at_random(size: int, fraction: float, seed: int) -> np.ndarray:
    """Returns which pixels are known where a fraction of them is missing, bool (size, size)."""
    order = np.random.default_rng(seed).permutation(size * size)
    return (order >= round(fraction * size * size)).reshape(size, size)


def there_and_back(size: int, factor: int) -> np.ndarray:
    """Returns the matrix (size, size) that makes a column smaller and as long as it was again."""
    small = size // factor
    return _resizing(small, size) @ _resizing(size, small)


def _resizing(given: int, wanted: int) -> np.ndarray:
    """Returns the matrix (wanted, given) that resizes a column as `data` does, by Lanczos."""
    columns = Image.fromarray(np.eye(given, dtype=np.float32))
    return np.asarray(columns.resize((given, wanted), Image.Resampling.LANCZOS))


def _resized(pictures, matrix: np.ndarray, library):  # type: ignore[no-untyped-def]
    """Resizes (B, H, W, C) along both sides; `library` is TensorFlow or NumPy."""
    return library.einsum("ph,bhwc,qw->bpqc", matrix, pictures, matrix)
