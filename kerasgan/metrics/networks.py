"""The networks that features are taken from, by name."""

from collections.abc import Callable
from pathlib import Path

from kerasgan.metrics.features import Features


def load(name: str, weights: Path | None = None) -> Features:
    """Builds a network of `FEATURES`.

    Args:
        name: which.
        weights: for `inception`, a file of its weights; Keras downloads them unless given.

    Raises:
        UserError: a package or the weights cannot be had.
    """
    return FEATURES[name](weights)


# TensorFlow is imported where a network is loaded, not before.


def _load_efficientnet(_: Path | None) -> Features:
    from kerasgan.metrics import efficientnet

    return efficientnet.load()


def _load_face(_: Path | None) -> Features:
    from kerasgan.metrics import face

    return face.load()


def _load_inception(weights: Path | None) -> Features:
    from kerasgan.metrics import inception

    return inception.load(weights)


FEATURES: dict[str, Callable[[Path | None], Features]] = {
    "efficientnet-lite0": _load_efficientnet,  # 1280 of a network that knows ImageNet
    "face": _load_face,  # 256 of MTCNN's O-Net, which knows faces
    "inception": _load_inception,  # 2048 of Keras' InceptionV3, downloaded unless a file is named
}
