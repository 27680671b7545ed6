"""Distances between features: precision and recall, and the nearest training pictures."""

from collections.abc import Iterator

import numpy as np

K = 3  # neighbours that a ball reaches to, in precision and recall
ROWS = 1024  # of the matrix of distances, held at a time


def precision_recall(fakes: np.ndarray, reals: np.ndarray, k: int = K) -> tuple[float, float]:
    """Measures how much of the fakes looks real and how much of the reals is reached.

    Kynkäänniemi et al. 2019, "Improved Precision and Recall Metric for Assessing Generative
    Models". Round each picture of a set lies a ball that reaches to its k-th nearest other one;
    the balls together stand for the set.

    Args:
        fakes, reals: float, (N, D), as many of both, more than k.
        k: neighbours.

    Returns:
        Precision, the fraction of fakes inside the reals' balls, and recall, the fraction of
        reals inside the fakes' balls.
    """
    return _fraction_inside(fakes, reals, k), _fraction_inside(reals, fakes, k)


def nearest(queries: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds for each query the nearest key.

    Args:
        queries: float, (N, D).
        keys: float, (M, D).

    Returns:
        Indices of keys, (N,), and the Euclidean distances to them, float64 (N,).
    """
    blocks = [(block.argmin(axis=1), block.min(axis=1)) for block in _distances(queries, keys)]
    return (
        np.concatenate([indices for indices, _ in blocks]),
        np.concatenate([distances for _, distances in blocks]),
    )


def kth_nearest(points: np.ndarray, k: int, among: np.ndarray) -> np.ndarray:
    """Returns each point's distance to its k-th nearest other one.

    Args:
        points: float, (N, D).
        k: from 1 to M - 1.
        among: float, (M, D); the points are among them.

    Returns:
        float64, (N,).
    """
    # Place 0 is the point's own, at distance 0.
    blocks = [np.partition(block, k, axis=1)[:, k] for block in _distances(points, among)]
    return np.concatenate(blocks)


def _fraction_inside(points: np.ndarray, centres: np.ndarray, k: int) -> float:
    radii = kth_nearest(centres, k, centres)
    inside = [(block <= radii).any(axis=1) for block in _distances(points, centres)]
    return float(np.mean(np.concatenate(inside)))


def _distances(x: np.ndarray, y: np.ndarray) -> Iterator[np.ndarray]:
    """Yields Euclidean distances between x (N, D) and y (M, D), some rows (r, M) at a time."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    squares = np.sum(y**2, axis=1)
    for start in range(0, len(x), ROWS):
        part = x[start : start + ROWS]
        squared = np.sum(part**2, axis=1)[:, None] + squares - 2 * part @ y.T
        yield np.sqrt(np.maximum(squared, 0))
