"""Networks that turn pictures into features, in which metrics compare them."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from kerasgan import cli

BATCH = 32  # fixed: a picture's features must not depend on how many are measured with it


@dataclass(frozen=True, eq=False)
class Features:
    """A network and what is done to a picture before it.

    Attributes:
        name: of the network.
        size: side that pictures are resized to, pixels.
        shift, scale: the network reads (x - shift) / scale, x in 0..255.
        weights: the start of a digest over the network's weights.
        network: float32 (B, size, size, 3) to float32 (B, D).
    """

    name: str
    size: int
    shift: float
    scale: float
    weights: str
    network: Callable[[Any], Any]

    @property
    def protocol(self) -> dict[str, Any]:
        """All that the features of a picture depend on, as JSON values."""
        return {
            "resize": f"{self.size}x{self.size}, bicubic, antialiased",
            "input": f"(x - {self.shift:g}) / {self.scale:g}",
            "weights": self.weights,
        }

    def __call__(
        self, pictures: np.ndarray, order: np.ndarray | None = None, quiet: bool = False
    ) -> np.ndarray:
        """Computes the features of pictures.

        Args:
            pictures: uint8, (N, H, W, 1 or 3); may be memory-mapped.
            order: indices of those to take; all, one after another, unless given.
            quiet: whether to show no progress bar.

        Returns:
            float32, (len(order) or N, D).
        """
        shown = batches(pictures, order, BATCH, f"Features {self.name}", quiet)
        parts = [np.asarray(self._compute(batch))[:count] for batch, count in shown]
        return np.concatenate(parts)

    @cached_property
    def _compute(self) -> Callable[[np.ndarray], Any]:
        from kerasgan.backend import tf

        @tf.function(reduce_retracing=True, autograph=False)
        def compute(pictures: tf.Tensor) -> tf.Tensor:
            return self.network((resize(pictures, self.size) - self.shift) / self.scale)

        return lambda batch: compute(tf.constant(batch))


def resize(pictures: Any, size: int) -> Any:
    """Resizes pictures by bicubic interpolation, antialiased where they shrink.

    The result is not rounded and may leave 0..255 a little, as the mathematics has it (Parmar
    et al. 2022, "On Aliased Resizing and Surprising Subtleties in GAN Evaluation").

    Args:
        pictures: uint8, (B, H, W, 1 or 3).
        size: height and width of the result, pixels.

    Returns:
        A float32 tensor, (B, size, size, 3).
    """
    from kerasgan.backend import tf

    pictures = tf.cast(pictures, tf.float32)
    if pictures.shape[-1] == 1:
        pictures = tf.image.grayscale_to_rgb(pictures)
    return tf.image.resize(pictures, (size, size), "bicubic", antialias=True)


def batches(
    pictures: np.ndarray, order: np.ndarray | None, size: int, description: str, quiet: bool
) -> Iterator[tuple[np.ndarray, int]]:
    """Yields pictures in batches of one size, the last one filled up, behind a progress bar.

    Args:
        pictures: uint8, (N, H, W, C); may be memory-mapped.
        order: indices of those to take; all, one after another, for None.
        size: pictures in a batch.
        description: what is done with them, in front of the bar.
        quiet: whether to show no bar.

    Yields:
        uint8, (size, H, W, C), and how many of them count.
    """
    order = np.arange(len(pictures)) if order is None else order
    options: dict[str, Any] = {"disable": True} if quiet else {"delay": 1, "leave": False}
    with cli.progress(len(order), description, unit=" pictures", **options) as bar:
        for start in range(0, len(order), size):
            part = order[start : start + size]
            filling = ((0, size - len(part)), *((0, 0),) * (pictures.ndim - 1))
            yield np.pad(pictures[part], filling), len(part)
            bar.update(len(part))


def digest(arrays: Iterable[np.ndarray]) -> str:
    """Returns the start of the sha256 over the bytes of arrays, in hex."""
    whole = hashlib.sha256()
    for array in arrays:
        whole.update(np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()[:12]
