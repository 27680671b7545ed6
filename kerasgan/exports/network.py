"""The network that is exported: the generator's own, under names that all formats share."""

from collections.abc import Iterator
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

    model = in_float32(generator.model)
    inputs = [
        keras.Input(each.shape[1:], name=name, dtype=each.dtype)
        for each, name in zip(model.inputs, (LATENTS, CONDITIONS), strict=False)
    ]
    reads = inputs if len(inputs) > 1 else inputs[0]
    pictures = keras.layers.Identity(name=PICTURES, dtype="float32")(model(reads))
    network = keras.Model(reads, {PICTURES: pictures}, name="generator")
    network(reads)  # Keras exports only what has been called
    return network


def in_float32(model: "keras.Model") -> "keras.Model":
    """Returns the same network, computing in float32 throughout: runtimes have few others.

    Args:
        model: any; one that was trained in mixed precision computes in half precision in part.
    """
    from kerasgan.backend import keras

    def copy(layer: keras.Layer) -> keras.Layer:
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    if all(layer.compute_dtype == "float32" for layer in _layers(model)):
        return model
    single = keras.models.clone_model(model, clone_function=copy)
    single.set_weights(model.get_weights())
    return single


def _layers(model: "keras.Model") -> "Iterator[keras.Layer]":
    """Yields a network's layers, of networks inside it theirs."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _layers(layer)
        else:
            yield layer
