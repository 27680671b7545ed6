"""Networks that turn pictures into features, in which metrics compare them."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from kerasgan import cli

BATCH = 32  # fixed: a picture's features must not depend on how many are measured with it

FEATURES = {
    "efficientnet-lite0": "1280 of EfficientNet-Lite0, which knows ImageNet",
    "face": "256 of MTCNN's O-Net, which knows faces",
    "inception": "2048 of Keras' InceptionV3, downloaded unless --features-weights names a file",
}


@dataclass(frozen=True, eq=False)
class Features:
    """A network and what is done to a picture before it.

    Attributes:
        name: one of `FEATURES`.
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
        order = np.arange(len(pictures)) if order is None else order
        parts = []
        with bar(len(order), f"Features {self.name}", quiet) as progress:
            for batch, count in batches(pictures, order, BATCH):
                parts.append(np.asarray(self._compute(batch))[:count])
                progress.update(count)
        return np.concatenate(parts)

    @cached_property
    def _compute(self) -> Callable[[np.ndarray], Any]:
        from kerasgan.backend import tf

        @tf.function(reduce_retracing=True, autograph=False)
        def compute(pictures: tf.Tensor) -> tf.Tensor:
            return self.network((resize(pictures, self.size) - self.shift) / self.scale)

        return lambda batch: compute(tf.constant(batch))


def load(name: str, weights: Path | None = None) -> Features:
    """Builds a network of `FEATURES`.

    Args:
        name: which.
        weights: for `inception`, a file of its weights; Keras downloads them unless given.

    Raises:
        UserError: a package or the weights cannot be had.
    """
    from kerasgan.metrics import efficientnet, face, inception

    if name == "inception":
        return inception.load(weights)
    return {"efficientnet-lite0": efficientnet.load, "face": face.load}[name]()


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


def batches(pictures: np.ndarray, order: np.ndarray, size: int) -> Iterator[tuple[np.ndarray, int]]:
    """Yields pictures in batches of one size, the last filled up, each with how many count."""
    for start in range(0, len(order), size):
        part = order[start : start + size]
        batch = pictures[part]
        filling = ((0, size - len(part)), *((0, 0),) * (pictures.ndim - 1))
        yield np.pad(batch, filling), len(part)


def bar(total: int, description: str, quiet: bool) -> Any:
    """Returns a progress bar over pictures, silent where asked."""
    options = {"disable": True} if quiet else {"delay": 1, "leave": False}
    return cli.progress(total, description, unit=" pictures", **options)


def digest(arrays: Iterable[np.ndarray]) -> str:
    """Returns the start of the sha256 over the bytes of arrays, in hex."""
    whole = hashlib.sha256()
    for array in arrays:
        whole.update(np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()[:12]
