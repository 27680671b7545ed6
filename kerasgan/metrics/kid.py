"""Kernel Inception Distance: how far two sets of features are apart, without bias.

Bińkowski et al. 2018, "Demystifying MMD GANs"; Gretton et al. 2012, "A Kernel Two-Sample Test".
The name stays whatever network the features come from; figures of different ones do not compare.
"""

import math
from typing import NamedTuple

import numpy as np

SUBSETS = 50
SUBSET_SIZE = 500
DEGREE = 3
NORMAL_95 = 1.96  # standard errors to either side that 95 of 100 normal numbers stay within


class Kid(NamedTuple):
    """A distance and where it may lie: `low` and `high` bound a 95% confidence interval."""

    value: float
    low: float
    high: float


def kid(
    first: np.ndarray,
    second: np.ndarray,
    *,
    subsets: int = SUBSETS,
    subset_size: int = SUBSET_SIZE,
    seed: int = 0,
) -> Kid:
    """Estimates the distance as the mean over random subsets of both sets.

    The interval is 1.96 standard errors to either side. Their square is the variance over the
    subsets, times m / (n - m) for the pictures (the delete-d jackknife of Shao and Wu 1989: m in
    a subset of n) plus 1 / `subsets` for the draw of the subsets. Where both sets come from one
    distribution it is wider than need be.

    Args:
        first: float, (N, D).
        second: float, (M, D).
        subsets: how many.
        subset_size: features of each set in a subset, fewer than in the smaller set.
        seed: of the draw of the subsets.
    """
    smaller = min(len(first), len(second))
    rng = np.random.default_rng(seed)
    values = [
        mmd2(_draw(rng, first, subset_size), _draw(rng, second, subset_size))
        for _ in range(subsets)
    ]
    mean = float(np.mean(values))
    spread = subset_size / (smaller - subset_size) + 1 / subsets
    half = NORMAL_95 * math.sqrt(np.var(values, ddof=1) * spread)
    return Kid(mean, mean - half, mean + half)


def subset_size(first: int, second: int) -> int:
    """Returns how large subsets of sets of two sizes should be: 500, or half of the smaller."""
    return min(SUBSET_SIZE, first // 2, second // 2)


def mmd2(x: np.ndarray, y: np.ndarray) -> float:
    """Estimates the squared maximum mean discrepancy, without bias; it may come out negative.

    Args:
        x, y: float, (m, D), m at least 2 and the same for both.
    """
    count = len(x)
    xx, yy, xy = polynomial_kernel(x, x), polynomial_kernel(y, y), polynomial_kernel(x, y)
    within = (xx.sum() - np.trace(xx) + yy.sum() - np.trace(yy)) / (count * (count - 1))
    return float(within - 2 * xy.mean())


def polynomial_kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns (x.y / D + 1)^3 for each pair of x (N, D) and y (M, D): (N, M)."""
    return (x @ y.T / x.shape[1] + 1) ** DEGREE


def _draw(rng: np.random.Generator, features: np.ndarray, count: int) -> np.ndarray:
    return features[rng.choice(len(features), count, replace=False)].astype(np.float64)
