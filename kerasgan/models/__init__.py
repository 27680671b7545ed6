"""The networks, built by Keras' functional API from a recipe; one module for each family.

Pictures are NHWC in [-1, 1]. Every layer computes in the recipe's precision, except the last
step of each network, which is float32.
"""

import dataclasses

import numpy as np

from kerasgan import backend
from kerasgan.backend import keras
from kerasgan.models import article, dcgan, fast, mlp, progressive
from kerasgan.models.parts import ScaledConv2D, SpectralNormalization
from kerasgan.models.progressive import Fade, Growing
from kerasgan.recipes import Recipe

__all__ = [
    "NETWORKS",
    "Growing",
    "SpectralNormalization",
    "build_adversarial",
    "build_discriminator",
    "build_generator",
    "build_portable_discriminator",
    "build_portable_generator",
    "logits_of",
    "normalise",
    "portable_weights",
    "take_portable_weights",
]

# The families by the name of their `recipes.NETWORK_TRAITS`: build_generator,
# build_discriminator.
NETWORKS = {
    "article": (article.build_generator, article.build_discriminator),
    "dcgan": (dcgan.build_generator, dcgan.build_discriminator),
    "fast": (fast.build_generator, fast.build_discriminator),
    "mlp": (mlp.build_generator, mlp.build_discriminator),
    "progressive": (progressive.build_generator, progressive.build_discriminator),
}


def build_generator(recipe: Recipe, portable: bool = False) -> keras.Model:
    """Builds the generator of the recipe's family.

    Args:
        recipe: the fields of "networks", `classes` known; `precision`, `seed`.
        portable: whether its layers are Keras' own alone.

    Returns:
        A model from latents (B, latent_dim) to pictures (B, size, size, channels), float32 in
        [-1, 1]; with conditions from [latents, conditions (B, condition_size)].
    """
    build, _ = NETWORKS[recipe.network]
    return build(backend.resolved(recipe), portable)


def build_discriminator(recipe: Recipe, portable: bool = False) -> keras.Model:
    """Builds the discriminator of the recipe's family.

    Args:
        recipe: the fields of "networks", `spectral_norm`, `precision`, `seed`.
        portable: whether its layers are Keras' own alone.

    Returns:
        A model from pictures (B, size, size, channels) in [-1, 1] to verdicts (B, 1), float32, 1
        for real; with conditions from [pictures, conditions]. `logits_of` gives what it says
        before the sigmoid.
    """
    _, build = NETWORKS[recipe.network]
    return build(backend.resolved(recipe), portable)


def build_portable_generator(recipe: Recipe) -> keras.Model:
    """Builds a generator of the same weights that opens and runs anywhere, without kerasgan.

    Args:
        recipe: as for `build_generator`.

    Returns:
        The same model, of Keras' own layers in float32.
    """
    return build_generator(dataclasses.replace(recipe, precision="float32"), portable=True)


def build_portable_discriminator(recipe: Recipe) -> keras.Model:
    """Builds a discriminator that opens and judges anywhere, without kerasgan.

    Args:
        recipe: as for `build_discriminator`.

    Returns:
        The same model, of Keras' own layers in float32. Its weights are those that
        `portable_weights` returns.
    """
    return build_discriminator(dataclasses.replace(recipe, precision="float32"), portable=True)


def portable_weights(discriminator: keras.Model) -> list[np.ndarray]:
    """Returns the weights with which the portable discriminator judges as this one does.

    What this one's layers do to their weights in use has been done to them.

    Args:
        discriminator: that `build_discriminator` returned, not portable.
    """
    return [weight for layer in discriminator.layers for weight in _portable_weights(layer)]


def take_portable_weights(discriminator: keras.Model, weights: list[np.ndarray]) -> None:
    """Gives a discriminator the weights of a portable one; the inverse of `portable_weights`.

    Args:
        discriminator: that `build_discriminator` returned, not portable.
        weights: of the portable one that the same recipe gives. How far layers of growing networks
            are blended stays as it is.
    """
    left = iter(weights)
    for layer in discriminator.layers:
        taken = [next(left) for _ in _portable_weights(layer)]
        if isinstance(layer, SpectralNormalization):
            layer = layer.layer
        elif isinstance(layer, ScaledConv2D):
            taken[0] = taken[0] / layer.scale
        elif isinstance(layer, Fade):
            continue
        layer.set_weights(taken)


def _portable_weights(layer: keras.Layer) -> list[np.ndarray]:
    if isinstance(layer, SpectralNormalization):  # its kernel is the normalised one
        return layer.layer.get_weights()
    if isinstance(layer, Fade):
        alpha = float(layer.alpha)
        return [np.array([[1 - alpha], [alpha]], np.float32)]
    if isinstance(layer, ScaledConv2D):
        kernel, *others = layer.get_weights()
        return [kernel * np.float32(layer.scale), *others]
    return layer.get_weights()


def logits_of(discriminator: keras.Model) -> keras.Model:
    """Returns the same network, sharing every weight, that stops before the sigmoid."""
    return keras.Model(discriminator.input, discriminator.get_layer("logits").output)


def normalise(discriminator: keras.Model) -> None:
    """Brings the layers that have one back to spectral norm 1 (Miyato et al. 2018)."""
    for layer in discriminator.layers:
        if isinstance(layer, SpectralNormalization):
            layer.normalise()


def build_adversarial(generator: keras.Model, discriminator: keras.Model) -> keras.Model:
    """Chains the generator and the discriminator: latents to verdicts.

    Which of the two learns is decided by the variables that an update is given (`GAN.train_step`),
    not by a `trainable` flag.
    """
    inputs = [keras.Input(x.shape[1:], name=x.name) for x in generator.inputs]
    latents, *conditions = inputs
    pictures = generator([latents, *conditions] if conditions else latents)
    verdicts = discriminator([pictures, *conditions] if conditions else pictures)
    return keras.Model(inputs if conditions else latents, verdicts, name="adversarial")
