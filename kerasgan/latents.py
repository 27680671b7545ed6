"""Latents, the vectors that the generator reads: drawing them and walking between them."""

import numpy as np


def draw(count: int, dim: int, seed: int, scale: float = 1.0) -> np.ndarray:
    """Draws latents of independent normal numbers.

    The i-th latent of a seed is the same whatever `count` is.

    Args:
        count: how many.
        dim: numbers in a latent.
        seed: at least 0.
        scale: factor on every number; below 1, tamer pictures nearer to the average.

    Returns:
        float32, (count, dim).
    """
    normal = np.random.default_rng(seed).standard_normal((count, dim))
    return (normal * scale).astype(np.float32)


def slerp(start: np.ndarray, end: np.ndarray, fraction: float | np.ndarray) -> np.ndarray:
    """Goes from one latent to another along the sphere (Shoemake 1985; White 2016).

    The direction turns at an even speed and the length changes evenly, so that the latents
    between are as long as those the generator was trained on; a straight line would pass
    closer to the origin. Between opposite latents, where every way round is as short, one is
    chosen, always the same.

    Args:
        start: (..., dim).
        end: (..., dim).
        fraction: 0 at `start`, 1 at `end`; a number, or an array over the leading axes.

    Returns:
        float32, of the shape that the arguments broadcast to.
    """
    fraction = np.asarray(fraction, np.float64)[..., None]
    start, start_length = _unit(np.asarray(start, np.float64))
    end, end_length = _unit(np.asarray(end, np.float64))
    # A latent of length 0 has no direction: it takes the other's.
    start, end = np.where(start_length > 0, start, end), np.where(end_length > 0, end, start)

    cosine = np.sum(start * end, axis=-1, keepdims=True)
    across, sine = _unit(end - cosine * start)
    across = np.where(sine > 1e-9, across, _perpendicular(start))
    angle = np.arctan2(sine, cosine) * fraction
    length = start_length * (1 - fraction) + end_length * fraction
    return (length * (np.cos(angle) * start + np.sin(angle) * across)).astype(np.float32)


def walk(keys: np.ndarray, frames_per_leg: int) -> np.ndarray:
    """Walks from each key latent to the next and from the last back to the first.

    Args:
        keys: (K, dim).
        frames_per_leg: steps from one key to the next, at least 1.

    Returns:
        float32, (K * frames_per_leg, dim). Row `k * frames_per_leg` is key k; played in a loop,
        no step is larger at the seam.
    """
    keys = np.asarray(keys)
    fractions = np.arange(frames_per_leg) / frames_per_leg
    legs = slerp(keys[:, None], np.roll(keys, -1, axis=0)[:, None], fractions)
    return legs.reshape(-1, keys.shape[-1])


def glide(keys: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Goes in straight lines from each key to the next and from the last back to the first.

    Args:
        keys: (K, ...).
        places: (N,): at k it is key k, at K the first again.

    Returns:
        float32, (N, ...).
    """
    legs = np.floor(places).astype(int)
    fractions = (places - legs).reshape(-1, *(1,) * (keys.ndim - 1))
    start, end = keys[legs % len(keys)], keys[(legs + 1) % len(keys)]
    return ((1 - fractions) * start + fractions * end).astype(np.float32)


def _unit(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Splits (..., dim) into directions (..., dim) and lengths (..., 1); 0 has direction 0."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length > 0, length, 1), length


def _perpendicular(directions: np.ndarray) -> np.ndarray:
    """Returns some unit vector at a right angle to each direction (..., dim)."""
    axis = np.eye(directions.shape[-1])[np.argmin(np.abs(directions), axis=-1)]
    along = np.sum(axis * directions, axis=-1, keepdims=True)
    return _unit(axis - along * directions)[0]
