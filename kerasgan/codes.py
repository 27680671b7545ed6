"""All that a generator reads as one vector: a latent and, where it has them, a condition.

Searches go through codes, and encoders guess them.
"""

import math
from typing import Any

import numpy as np

from kerasgan import latents as latent_space
from kerasgan.backend import keras, tf
from kerasgan.saved import SavedGenerator

QUANTILE = 2.0  # of the latents' lengths, in deviations to both sides


def normalises(generator: SavedGenerator) -> bool:
    """Whether only the direction of a latent counts: what reads it first brings it to length 1."""
    latents = generator.model.inputs[0]
    readers = [layer for layer in generator.model.layers if _reads(layer, latents)]
    return bool(readers) and all(
        isinstance(layer, keras.layers.UnitNormalization) for layer in readers
    )


def draw(generator: SavedGenerator, count: int, seed: int) -> np.ndarray:
    """Draws codes as the generator's training did.

    Where only the direction of a latent counts, all are of one length, the square root of D.

    Args:
        generator: that reads them.
        count: how many; the i-th is the same whatever the count is.
        seed: at least 0.

    Returns:
        float32, (count, D + conditions).
    """
    latents = latent_space.draw(count, generator.latent_dim, seed)
    if normalises(generator):
        latents *= math.sqrt(generator.latent_dim) / np.linalg.norm(latents, axis=1, keepdims=True)
    known = generator.conditions
    return np.hstack([latents, known.draw(count, seed).vectors()]) if known else latents


def parts(generator: SavedGenerator, codes: Any) -> list[Any]:
    """Returns what the generator reads of codes (N, D + conditions): latents, then conditions.

    Args:
        generator: that reads them.
        codes: a tensor or an array.
    """
    latents, conditions = codes[:, : generator.latent_dim], codes[:, generator.latent_dim :]
    return [latents, conditions] if generator.conditions else [latents]


def _reads(layer: keras.Layer, tensor: keras.KerasTensor) -> bool:
    nodes = [] if isinstance(layer, keras.layers.InputLayer) else layer._inbound_nodes
    return any(tensor is read for node in nodes for read in node.input_tensors)


class Space:
    """The codes that a search may go through.

    Latents lie on the shell where nearly all of those lie that are drawn (Menon et al. 2020,
    "PULSE", who take the sphere in its middle); conditions between the least and the largest value.

    Args:
        generator: that reads them.
        conditions: those that are settled, float32 (C,), NaN where they are searched; None for all.
    """

    def __init__(self, generator: SavedGenerator, conditions: np.ndarray | None = None) -> None:
        self.latent_dim = generator.latent_dim
        self.shortest, self.longest = _lengths(self.latent_dim)
        known = generator.conditions
        count = len(known.names) if known else 0
        settled = np.full(count, np.nan) if conditions is None else conditions
        least = 0.0 if known and known.are_classes else -1.0
        self._low = np.where(np.isnan(settled), least, settled).astype(np.float32)
        self._high = np.where(np.isnan(settled), 1.0, settled).astype(np.float32)

    def project(self, codes: tf.Tensor) -> tf.Tensor:
        """Brings codes, float32 (N, D + conditions), to the nearest that may be."""
        latents, conditions = codes[:, : self.latent_dim], codes[:, self.latent_dim :]
        length = tf.maximum(tf.norm(latents, axis=1, keepdims=True), 1e-6)
        latents *= tf.clip_by_value(length, self.shortest, self.longest) / length
        return tf.concat([latents, tf.clip_by_value(conditions, self._low, self._high)], axis=1)


def _lengths(dim: int) -> tuple[float, float]:
    """Returns between which lengths 95% of normal vectors lie (Wilson and Hilferty 1931)."""
    variance = 2 / (9 * dim)
    bounds = (1 - variance + sign * QUANTILE * math.sqrt(variance) for sign in (-1, 1))
    shortest, longest = (math.sqrt(dim * max(bound, 0) ** 3) for bound in bounds)
    return shortest, longest
