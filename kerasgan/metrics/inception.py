"""InceptionV3 as Keras ships it, as a feature extractor.

Szegedy et al. 2016, "Rethinking the Inception Architecture for Computer Vision". Its figures are
not comparable with published Inception FIDs: those use the weights of another training, of
TensorFlow's 2015 graph (Heusel et al. 2017).
"""

from pathlib import Path

from kerasgan.backend import keras, random_state_kept
from kerasgan.errors import UserError
from kerasgan.metrics.features import Features, digest

SIZE = 299  # side of the pictures that it was trained on, pixels


def load(weights: Path | None = None) -> Features:
    """Builds the `inception` features: 2048, pooled.

    Args:
        weights: a file of the network without its top, as Keras writes it (`.weights.h5`), or as
            Keras downloads it (`.h5`); downloaded unless given.

    Raises:
        UserError: the weights cannot be had.
    """
    if weights is not None and not weights.is_file():
        raise UserError(
            f"`--features-weights` should be a file. Received: {weights}, which is none."
        )
    try:
        with random_state_kept():
            network = keras.applications.InceptionV3(
                include_top=False,
                weights="imagenet" if weights is None else str(weights),
                input_shape=(SIZE, SIZE, 3),
                pooling="avg",
            )
    except Exception as error:  # Keras raises no narrower one for a download that fails
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            "The features `inception` need Keras' weights of InceptionV3 without its top. "
            f"Received: {weights or 'no download'} ({reason}). Type --features-weights FILE, or "
            "--features efficientnet-lite0."
        ) from error
    return Features("inception", SIZE, 127.5, 127.5, digest(network.get_weights()), network)
