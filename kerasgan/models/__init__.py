"""The networks, built by Keras' functional API from a recipe; one module for each family.

Pictures are NHWC in [-1, 1]. Every layer computes in the recipe's precision, except the last
step of each network, which is float32.
"""

import dataclasses

import numpy as np

from kerasgan import images
from kerasgan.backend import keras
from kerasgan.models import article, dcgan, mlp, progressive
from kerasgan.models.parts import SpectralNormalization
from kerasgan.models.progressive import Growing
from kerasgan.recipes import Recipe

__all__ = [
    "NETWORKS",
    "Growing",
    "SpectralNormalization",
    "build_adversarial",
    "build_discriminator",
    "build_generator",
    "build_portable_generator",
    "generate",
    "logits_of",
]

GENERATE_BATCH = 16  # fixed: a picture must not depend on how many are drawn with it

# The families by their recipes' name: build_generator, build_discriminator.
NETWORKS = {
    "article": (article.build_generator, article.build_discriminator),
    "dcgan": (dcgan.build_generator, dcgan.build_discriminator),
    "mlp": (mlp.build_generator, mlp.build_discriminator),
    "progressive": (progressive.build_generator, progressive.build_discriminator),
}


def build_generator(recipe: Recipe, portable: bool = False) -> keras.Model:
    """Builds the generator of the recipe's family.

    Args:
        recipe: the fields of "networks", `precision` (not "auto"), `seed`.
        portable: whether its layers are Keras' own alone.

    Returns:
        A model from latents (B, latent_dim) to pictures (B, size, size, channels), float32 in
        [-1, 1].
    """
    build, _ = NETWORKS[recipe.network]
    return build(recipe, portable)


def build_discriminator(recipe: Recipe) -> keras.Model:
    """Builds the discriminator of the recipe's family.

    Args:
        recipe: the fields of "networks", `spectral_norm`, `precision` (not "auto"), `seed`.

    Returns:
        A model from pictures (B, size, size, channels) in [-1, 1] to verdicts (B, 1), float32, 1
        for real. `logits_of` gives what it says before the sigmoid.
    """
    _, build = NETWORKS[recipe.network]
    return build(recipe)


def build_portable_generator(recipe: Recipe) -> keras.Model:
    """Builds a generator of the same weights that opens and runs anywhere, without kerasgan.

    Args:
        recipe: as for `build_generator`.

    Returns:
        The same model, of Keras' own layers in float32.
    """
    return build_generator(dataclasses.replace(recipe, precision="float32"), portable=True)


def logits_of(discriminator: keras.Model) -> keras.Model:
    """Returns the same network, sharing every weight, that stops before the sigmoid."""
    return keras.Model(discriminator.input, discriminator.get_layer("logits").output)


def build_adversarial(generator: keras.Model, discriminator: keras.Model) -> keras.Model:
    """Chains the generator and the discriminator: latents to verdicts.

    Which of the two learns is decided by the variables that an update is given (`GAN.train_step`),
    not by a `trainable` flag.
    """
    latents = keras.Input(generator.input_shape[1:], name="latents")
    return keras.Model(latents, discriminator(generator(latents)), name="adversarial")


def generate(generator: keras.Model, latents: np.ndarray) -> np.ndarray:
    """Draws one picture for each latent, in batches of a fixed size.

    The last batch is filled up, so that the same latent gives the same picture whatever
    number of others is drawn beside it.

    Args:
        generator: latents (B, D) to pictures in [-1, 1].
        latents: float32, (N, D).

    Returns:
        uint8 pictures, (N, H, W, C).
    """
    count = len(latents)
    padded = np.pad(latents, ((0, -count % GENERATE_BATCH), (0, 0)))
    batches = [
        images.to_uint8(keras.ops.convert_to_numpy(generator(batch, training=False)))
        for batch in np.split(padded, len(padded) // GENERATE_BATCH)
    ]
    return np.concatenate(batches)[:count]
