"""What is known of a picture: some of its pixels, a small copy, a noisy one, or all of it.

Each degradation is a few small functions in a row of its own. What a picture of a generator would
look like under one of them has slopes by the picture, so that a search can follow them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from kerasgan.backend import tf

MASKED = 0.5  # the same where much is missing: what fits too well there, does not go on well
NOISY = 0.6  # of the noise's deviation: features are worth more than by their number
CORRECTIONS = 8  # of a large picture by its small copy: what is too bright is clipped
NEARBY, FAR = 3, 0.05  # pixels in which a weight falls to a third; the weight far from a hole
FADING = 15  # pixels, behind which all is far
NEAR = 5  # pixels: side of the square that is near a pixel
EXACT = 0.05  # deviation of what is known from a generator's best fit, of [-1, 1]


def _numbers(known: tf.Tensor) -> tf.Tensor:
    return tf.ones(tf.shape(known)[:1]) * math.prod(known.shape[1:])


@dataclass(frozen=True)
class Degradation:
    """What is known of pictures, and what that means for those that are found.

    Attributes:
        see: pictures (B, H, W, C), and what is known of others, to the same of these pictures;
            has slopes by them.
        show: what is known, to pictures (B, H, W, C) that show it, as an encoder sees it.
        keep: pictures that were found, float32 (B, H, W, C), and what is known, to those next to
            them that agree with it.
        weigh: what is known, to the weight of each of its numbers, a shape like its own or 1.
        count: what is known, to the sum of the weights of each picture's, (B,).
        sigma: what is known, to its deviation from what it should be, of [-1, 1], (B,): the larger,
            the nearer a search stays to pictures that the generator would draw by itself.
    """

    see: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] = lambda pictures, _: pictures
    show: Callable[[tf.Tensor], tf.Tensor] = lambda known: known
    keep: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda pictures, _: pictures
    weigh: Callable[[tf.Tensor], Any] = lambda known: 1.0
    count: Callable[[tf.Tensor], tf.Tensor] = _numbers
    sigma: Callable[[tf.Tensor], tf.Tensor] = lambda known: EXACT * tf.ones(tf.shape(known)[:1])


def identity() -> Degradation:
    """All of a picture is known."""
    return Degradation()


def mask() -> Degradation:
    """Some pixels are known; see `masked`. The others are shown as middle grey."""

    def see(pictures: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
        return tf.concat([pictures * _is_known(known), known[..., -1:]], axis=-1)

    return Degradation(
        see=see,
        show=lambda known: known[..., :-1],
        keep=lambda pictures, known: np.where(known[..., -1:] > 0, known[..., :-1], pictures),
        weigh=lambda known: known[..., -1:],
        count=lambda known: tf.reduce_sum(known[..., -1], axis=(1, 2)) * (known.shape[-1] - 1),
        sigma=lambda known: EXACT + (MASKED - EXACT) * _depth(_is_known(known)),
    )


def _is_known(known: tf.Tensor) -> tf.Tensor:
    return tf.cast(known[..., -1:] > 0, tf.float32)


def _depth(mask: tf.Tensor) -> tf.Tensor:
    """Returns which fraction of the missing pixels has nothing known near it, (B,)."""
    missing, near = 1 - mask, tf.nn.max_pool2d(mask, NEAR, 1, "SAME")
    deep = tf.reduce_sum(missing * (1 - near), axis=(1, 2, 3))
    return deep / tf.maximum(tf.reduce_sum(missing, axis=(1, 2, 3)), 1)


def masked(pictures: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Says what is known of pictures, float32 (N, H, W, C), under masks, bool (N or 1, H, W).

    Pixels count more the nearer they are to a hole, which has to go on from there (Yeh et al.
    2017).

    Returns:
        float32, (N, H, W, C + 1): the pictures, 0 where they are not known, and each pixel's
        weight, 0 where it is not known.
    """
    weights = np.stack([_weights(one) for one in known])[..., None]
    weights = np.broadcast_to(weights, (*pictures.shape[:3], 1))
    return np.concatenate([pictures * (weights > 0), weights], axis=-1).astype(np.float32)


def _weights(known: np.ndarray) -> np.ndarray:
    """Returns the weight of each pixel under a mask, bool (H, W); 1 beside a hole."""
    weights, reached = np.where(known, FAR, 0.0), ~known
    for step in range(FADING):
        padded = np.pad(reached, 1)
        rows = padded[:-2] | padded[1:-1] | padded[2:]
        grown = rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]
        weights[grown & ~reached] = FAR + (1 - FAR) * math.exp(-step / NEARBY)
        reached = grown
    return weights


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
        for _ in range(CORRECTIONS):
            missed = known - _resized(np.clip(pictures, -1, 1), down, np)
            pictures = np.clip(pictures, -1, 1) + _resized(missed, back, np)
        return pictures

    return Degradation(
        see=lambda pictures, _: _resized(pictures, down, tf),
        show=lambda known: _resized(known, up, tf),
        keep=keep,
    )


def noise() -> Degradation:
    """All is known, under normal noise; see `noisy`."""
    return Degradation(
        see=lambda pictures, known: tf.concat([pictures, known[..., -1:]], axis=-1),
        show=lambda known: known[..., :-1],
        count=lambda known: _numbers(known[..., :-1]),
        sigma=lambda known: tf.maximum(NOISY * known[:, 0, 0, -1], EXACT),
    )


def noisy(pictures: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Says what is known of noisy pictures, float32 (N, H, W, C), by the noise's deviation (N,).

    Returns:
        float32, (N, H, W, C + 1): the pictures, and the deviation.
    """
    everywhere = np.broadcast_to(sigma[:, None, None, None], (*pictures.shape[:3], 1))
    return np.concatenate([pictures, everywhere.astype(np.float32)], axis=-1)


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


def _resized(pictures: Any, matrix: np.ndarray, library: Any) -> Any:
    """Resizes (B, H, W, C) along both sides; `library` is TensorFlow or NumPy."""
    return library.einsum("ph,bhwc,qw->bpqc", matrix, pictures, matrix)
