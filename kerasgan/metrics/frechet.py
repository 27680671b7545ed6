"""Fréchet distance between two sets of features, taken for normal distributions.

Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
Equilibrium"; it is the FID where the features are those of Inception. It grows as samples become
fewer: compare figures of equal numbers of pictures only.
"""

from typing import NamedTuple

import numpy as np


class Statistics(NamedTuple):
    """Mean (D,) and covariance (D, D) of features, float64."""

    mean: np.ndarray
    covariance: np.ndarray


def statistics(features: np.ndarray) -> Statistics:
    """Returns mean and covariance of features (N, D), N at least 2."""
    features = features.astype(np.float64)
    return Statistics(features.mean(axis=0), np.cov(features, rowvar=False))


def frechet_distance(first: Statistics, second: Statistics) -> float:
    """Returns `|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))`.

    C1 C2 has the eigenvalues of the symmetric C1^(1/2) C2 C1^(1/2), whose root is safe to take
    even where there are fewer pictures than features.
    """
    root = _root(first.covariance)
    shared = np.linalg.eigvalsh(root @ second.covariance @ root)
    between = np.sum((first.mean - second.mean) ** 2)
    within = np.trace(first.covariance) + np.trace(second.covariance)
    return float(between + within - 2 * np.sqrt(np.maximum(shared, 0)).sum())


def _root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
