"""Batches of reals, each named by its iteration."""

import numpy as np

from kerasgan import images


class Batches:
    """Shuffled pictures, batch by batch, without end.

    Which pictures an iteration sees is a function of (seed, iteration) alone: the epochs,
    each a permutation of its own, are laid end to end and cut into batches, so that every
    picture is seen once an epoch and none is left over.

    Args:
        pixels: uint8, (N, H, W, C), N at least `batch_size`; may be memory-mapped.
        batch_size: pictures in a batch.
        seed: of the order.
    """

    def __init__(self, pixels: np.ndarray, batch_size: int, seed: int) -> None:
        self.pixels = pixels
        self.batch_size = batch_size
        self.seed = seed
        self._epoch = -1
        self._order = np.empty(0, np.int64)

    def indices(self, iteration: int) -> np.ndarray:
        """Returns which pictures iteration number `iteration`, from 0, sees: int64 (B,)."""
        start = iteration * self.batch_size
        places = np.arange(start, start + self.batch_size)
        epochs, offsets = np.divmod(places, len(self.pixels))
        parts = [self._permutation(e)[offsets[epochs == e]] for e in np.unique(epochs)]
        return np.concatenate(parts)

    def at(self, iteration: int) -> np.ndarray:
        """Returns the batch of an iteration: float32 in [-1, 1], (B, H, W, C)."""
        return images.to_float(self.pixels[self.indices(iteration)])

    def _permutation(self, epoch: int) -> np.ndarray:
        if epoch != self._epoch:
            self._order = np.random.default_rng([self.seed, epoch]).permutation(len(self.pixels))
            self._epoch = int(epoch)
        return self._order
