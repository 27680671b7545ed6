"""A generator in two: the first layers, and what draws from their features.

Features say more than a latent does: a search through them comes closer to a given picture (Abdal
et al. 2019, "Image2StyleGAN"; Daras et al. 2021, "Intermediate Layer Optimization").
"""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from kerasgan.backend import keras

FIRST_SIDE = 4  # of the features that are cut at, pixels, at least

# Layers that belong to the one before: they have no kernel and keep the shape.
FOLLOWERS = (
    "Activation BatchNormalization Dropout ELU GaussianDropout GaussianNoise GroupNormalization "
    "LayerNormalization LeakyReLU PReLU ReLU Rescaling SpatialDropout2D UnitNormalization"
).split()


def split(model: keras.Model, fine: float = 0.0) -> tuple[keras.Model, keras.Model] | None:
    """Cuts a generator after its first features of at least 4x4 places, and their activation.

    Where it has none before its pictures, as a network of dense layers, the cut is after the last
    of those that are more numbers than a latent.

    Args:
        model: latents, or [latents, conditions], to pictures.
        fine: how many numbers the features should have at least, as a fraction of a picture's;
            where none have, the most numerous are taken.

    Returns:
        Two models that share its weights and make it up, latents to features and features to
        pictures; None where all is one layer, or where there is a way around each cut.
    """
    for features in _cuts(model, fine):
        reads = model.inputs if len(model.inputs) > 1 else model.inputs[0]
        try:
            parts = keras.Model(reads, features), keras.Model(features, model.outputs[0])
        except ValueError:  # what is drawn needs more than these features
            continue
        if all(map(_has_kernels, parts)):
            return parts
    return None


def _has_kernels(model: keras.Model) -> bool:
    return any(len(weight.shape) > 1 for weight in model.weights)


def _cuts(model: keras.Model, fine: float) -> list[Any]:
    """Returns the features at which the model might be cut, the best first."""
    ends = list(_ends_of_blocks(model))
    spatial = [x for x in ends if len(x.shape) == 4 and min(x.shape[1:3]) >= FIRST_SIDE]
    flat = [x for x in ends if len(x.shape) == 2 and x.shape[1] > model.inputs[0].shape[1]]
    least = fine * _numbers(model.outputs[0])
    coarse = [x for x in spatial if _numbers(x) < least]
    fitting = [x for x in spatial if _numbers(x) >= least]
    return fitting + sorted(coarse, key=_numbers, reverse=True) + flat[::-1]


def _numbers(features: Any) -> int:
    return math.prod(features.shape[1:])


def _ends_of_blocks(model: keras.Model) -> Iterator[Any]:
    """Yields what each layer gives that no layer of `FOLLOWERS` reads next."""
    for layer, following in pairwise([*model.layers, None]):
        if isinstance(layer, keras.layers.InputLayer) or not layer._inbound_nodes:
            continue
        if following.__class__.__name__ not in FOLLOWERS or following.input is not layer.output:
            yield layer.output
