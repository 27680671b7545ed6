"""Fully connected networks, as the first GANs had (Goodfellow et al. 2014)."""

import math

from kerasgan.backend import keras
from kerasgan.models.parts import Parts, layers
from kerasgan.recipes import Recipe

UNITS = (256, 512, 1024)  # of G's layers in this order, of D's the other way round


def build_generator(recipe: Recipe, portable: bool = False) -> keras.Model:
    """Builds the generator.

    The arguments and what is returned are `kerasgan.models.build_generator`'s.
    """
    parts = Parts(recipe, "generator", portable)
    shape = (recipe.size, recipe.size, recipe.channels)

    latents = keras.Input((recipe.latent_dim,), name="latents")
    x = parts.steered(latents)
    for units in UNITS:
        x = parts.leaky()(parts.batch_norm()(parts.dense(parts.channels(units))(x)))
    x = layers.Reshape(shape)(parts.dense(math.prod(shape))(x))
    return parts.model(latents, parts.pictures(x))


def build_discriminator(recipe: Recipe, portable: bool = False) -> keras.Model:
    """Builds the discriminator.

    The arguments and what is returned are `kerasgan.models.build_discriminator`'s.
    """
    parts = Parts(recipe, "discriminator", portable)

    pictures = keras.Input((recipe.size, recipe.size, recipe.channels), name="pictures")
    x = layers.Flatten(dtype=parts.dtype)(pictures)
    for block, units in enumerate(reversed(UNITS)):
        x = parts.dense(parts.channels(units))(x)
        x = parts.leaky()(parts.batch_norm()(x) if block else x)
        x = parts.dropout()(x)
    return parts.model(pictures, parts.verdicts(x))
