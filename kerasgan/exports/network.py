"""The network that is exported: the generator's own, under names that all formats share."""

from typing import TYPE_CHECKING

from kerasgan.exports.facts import CONDITIONS, LATENTS, PICTURES
from kerasgan.saved import SavedGenerator

if TYPE_CHECKING:
    import keras


def named(generator: SavedGenerator) -> "keras.Model":
    """Returns the same network, sharing every weight, with known names of inputs and output.

    Args:
        generator: any; its shapes and its range stay as they are.

    Returns:
        A model from `latents`, or [`latents`, `conditions`], to {"pictures": pictures}, which is
        what gives the output its name in every format.
    """
    from kerasgan.backend import keras

    model = generator.model
    inputs = [
        keras.Input(each.shape[1:], name=name, dtype=each.dtype)
        for each, name in zip(model.inputs, (LATENTS, CONDITIONS), strict=False)
    ]
    reads = inputs if len(inputs) > 1 else inputs[0]
    pictures = keras.layers.Identity(name=PICTURES, dtype="float32")(model(reads))
    network = keras.Model(reads, {PICTURES: pictures}, name="generator")
    network(reads)  # Keras exports only what has been called
    return network
