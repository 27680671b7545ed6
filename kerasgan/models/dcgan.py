"""The deep convolutional networks of Radford et al. 2015, with the figures of PyTorch's tutorial.

Every block halves or doubles the side by a 4x4 convolution; a larger picture has more of them.
"""

import math

from kerasgan.backend import keras
from kerasgan.models.parts import Parts, layers
from kerasgan.recipes import Recipe

FEATURES = 64  # channels beside the picture; each halving of the side doubles them
WIDEST = 512  # channels, at most
FIRST_SIDE = 4  # of G's first features and D's last


def build_generator(recipe: Recipe, portable: bool = False) -> keras.Model:
    """Builds the generator.

    The arguments and what is returned are `kerasgan.models.build_generator`'s.
    """
    parts = Parts(recipe, "generator", portable)
    first, *others = reversed(_channels(parts, recipe.size))
    bias = not parts.normalises  # BatchNorm has its own

    latents = keras.Input((recipe.latent_dim,), name="latents")
    # A transposed 4x4 convolution of a single pixel is a dense layer.
    x = parts.dense(FIRST_SIDE**2 * first, use_bias=bias)(parts.steered(latents))
    x = layers.Reshape((FIRST_SIDE, FIRST_SIDE, first))(x)
    x = parts.relu()(parts.batch_norm()(x))
    for filters in others:
        x = parts.relu()(parts.batch_norm()(parts.doubling(filters, use_bias=bias)(x)))
    x = parts.doubling(recipe.channels, use_bias=False)(x)
    return parts.model(latents, parts.pictures(x))


def build_discriminator(recipe: Recipe, portable: bool = False) -> keras.Model:
    """Builds the discriminator.

    The arguments and what is returned are `kerasgan.models.build_discriminator`'s.
    """
    parts = Parts(recipe, "discriminator", portable)
    first, *others = _channels(parts, recipe.size)
    bias = not parts.normalises

    pictures = keras.Input((recipe.size, recipe.size, recipe.channels), name="pictures")
    x = parts.leaky()(parts.halving(first, use_bias=False)(pictures))
    for filters in others:
        x = parts.halving(filters, use_bias=bias)(x)
        x = parts.leaky()(parts.batch_norm()(x))
    # A 4x4 convolution of what is 4x4 is a dense layer.
    x = parts.dropout()(layers.Flatten(dtype=parts.dtype)(x))
    return parts.model(pictures, parts.verdicts(x, use_bias=False))


def _channels(parts: Parts, size: int) -> list[int]:
    """Returns the channels after each of D's halvings, from the picture inwards."""
    halvings = int(math.log2(size // FIRST_SIDE))
    return [parts.channels(min(FEATURES * 2**block, WIDEST)) for block in range(halvings)]
