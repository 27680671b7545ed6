"""Batches of reals, each named by its iteration."""

import mmap
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import numpy as np

from kerasgan import images
from kerasgan.conditions import Conditions
from kerasgan.data.cache import Pictures
from kerasgan.data.conditions import find_conditions
from kerasgan.recipes import Recipe

FLIPS = 1  # sets the random numbers of the flips apart from those of the order


class Conditioned(NamedTuple):
    """A batch of pictures with their conditions.

    Attributes:
        pictures: float32 in [-1, 1], (B, H, W, C).
        conditions: float32, (B, names), as `Conditions.vectors` gives them.
    """

    pictures: np.ndarray
    conditions: np.ndarray


class Batched(Protocol):
    """What names the batch of each iteration."""

    def at(self, iteration: int) -> np.ndarray | Conditioned:
        """Returns the batch of an iteration, from 0: float32 in [-1, 1], (B, H, W, C)."""
        ...


class Batches:
    """Shuffled pictures, batch by batch, without end.

    Which pictures an iteration sees is a function of (seed, iteration) alone: the epochs,
    each a permutation of its own, are laid end to end and cut into batches, so that every
    picture is seen once an epoch and none is left over. So are the flips.

    Args:
        pixels: uint8, (N, H, W, C), N at least `batch_size`; may be memory-mapped.
        batch_size: pictures in a batch, over all shards.
        seed: of the order and the flips.
        flip: whether each picture is mirrored, left to right, with probability 1/2.
        shard: (k, n): the k-th, from 0, of n equal parts of every batch, for a worker of its
            own.
        conditions: of the pictures, to come along with them.
        take: reads the pictures of some indices, as `Pictures.take` does, which compares them with
            their checksums; unless given they are taken from `pixels` as they are.

    Raises:
        ValueError: a batch cannot be cut into so many parts.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        batch_size: int,
        seed: int,
        flip: bool = False,
        shard: tuple[int, int] = (0, 1),
        conditions: Conditions | None = None,
        take: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> None:
        number, count = shard
        if batch_size % count or not 0 <= number < count:
            raise ValueError(f"A batch of {batch_size} has no part {number} of {count}.")
        self.pixels = pixels
        self.batch_size = batch_size
        self.seed = seed
        self.flip = flip
        self.conditions = conditions
        self._take = take or pixels.__getitem__
        size = batch_size // count
        self._part = slice(number * size, (number + 1) * size)
        self._epoch = -1
        self._order = np.empty(0, np.int64)

    @classmethod
    def of(cls, pictures: Pictures, recipe: Recipe, shard: tuple[int, int] = (0, 1)) -> "Batches":
        """Returns the batches of a training.

        Args:
            pictures: the training set.
            recipe: `batch_size`, `n_critic`, `seed`, `flip` and `conditions`.
            shard: as for the class.

        Raises:
            UserError: the pictures have no such conditions.
        """
        conditions = find_conditions(pictures, recipe.conditions)
        count = recipe.reals_an_iteration
        return cls(
            pictures.pixels, count, recipe.seed, recipe.flip, shard, conditions, pictures.take
        )

    def indices(self, iteration: int) -> np.ndarray:
        """Returns which pictures iteration number `iteration`, from 0, sees: int64 (B,)."""
        start = iteration * self.batch_size
        places = np.arange(start, start + self.batch_size)[self._part]
        epochs, offsets = np.divmod(places, len(self.pixels))
        parts = [self._permutation(e)[offsets[epochs == e]] for e in np.unique(epochs)]
        return np.concatenate(parts)

    def at(self, iteration: int) -> np.ndarray | Conditioned:
        """Returns the batch of an iteration, from 0: float32 in [-1, 1], (B, H, W, C).

        Where there are conditions, they come along as the second part of a `Conditioned`.

        Raises:
            UserError: a picture has changed on the disk.
        """
        indices = self.indices(iteration)
        pictures = self._take(indices)
        release(self.pixels)
        if self.flip:
            mirrored = self._mirrored(iteration)
            pictures[mirrored] = pictures[mirrored, :, ::-1]
        pictures = images.to_float(pictures)
        if self.conditions is None:
            return pictures
        return Conditioned(pictures, self.conditions.take(indices).vectors())

    def _mirrored(self, iteration: int) -> np.ndarray:
        """Returns which pictures of the batch are mirrored: bool (B,)."""
        rng = np.random.default_rng([self.seed, iteration, FLIPS])
        return rng.random(self.batch_size)[self._part] < 0.5

    def _permutation(self, epoch: int) -> np.ndarray:
        if epoch != self._epoch:
            rng = np.random.default_rng([self.seed, epoch])
            self._order = rng.permutation(len(self.pixels))
            self._epoch = int(epoch)
        return self._order


def release(pixels: np.ndarray) -> None:
    """Gives back the memory that reading a mapped array has taken, so that it does not pile up.

    The system keeps the pages as long as it has room for them; they only stop to count as this
    process's. Windows trims them by itself.
    """
    mapped = getattr(pixels, "_mmap", None)
    if mapped is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


class Ahead:
    """Makes the batches that will be wanted next while a training step runs.

    Args:
        batches: what makes them.
        depth: batches made ahead.
    """

    def __init__(self, batches: Batched, depth: int = 2) -> None:
        self._batches = batches
        self._depth = depth
        self._pool = ThreadPoolExecutor(1, "batches")
        self._waiting: deque[tuple[int, Future[np.ndarray | Conditioned]]] = deque()

    def at(self, iteration: int) -> np.ndarray | Conditioned:
        """Returns the batch of an iteration, from 0; the quickest where they come in order."""
        if self._waiting and self._waiting[0][0] != iteration:
            self._waiting.clear()
        following = self._waiting[-1][0] + 1 if self._waiting else iteration
        for number in range(following, iteration + self._depth + 1):
            self._waiting.append((number, self._pool.submit(self._batches.at, number)))
        return self._waiting.popleft()[1].result()

    def __enter__(self) -> "Ahead":
        return self

    def __exit__(self, *_: Any) -> None:
        self._pool.shutdown(cancel_futures=True)
