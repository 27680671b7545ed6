"""The tutorial's networks, built by Keras' functional API from a recipe.

Pictures are NHWC in [-1, 1]. Every layer computes in the recipe's precision, except the last
step of each network, which is float32.
"""

import numpy as np

from kerasgan import images
from kerasgan.backend import keras
from kerasgan.recipes import Recipe

UPSAMPLINGS = 3  # the generator starts at an eighth of the picture's side
DOWNSAMPLINGS = 4  # strided convolutions in the discriminator, where the picture has room
GENERATE_BATCH = 16  # fixed: a picture must not depend on how many are drawn with it

layers = keras.layers
_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


class _Parts:
    """Makes layers that share a recipe's width, slope, precision and seed."""

    def __init__(self, recipe: Recipe, stream: int) -> None:
        self.recipe = recipe
        self.dtype = _POLICIES[recipe.precision]
        # One initializer a layer: each gets a seed of its own from (seed, network, position).
        self._seeds = iter(np.random.SeedSequence([recipe.seed, stream]).generate_state(32))

    def channels(self, full: int) -> int:
        return max(1, round(full * self.recipe.width))

    def initializer(self) -> keras.initializers.Initializer:
        return keras.initializers.GlorotUniform(seed=int(next(self._seeds)))

    def dense(self, units: int, **options: object) -> keras.Layer:
        options.setdefault("dtype", self.dtype)
        return layers.Dense(units, kernel_initializer=self.initializer(), **options)

    def conv(self, filters: int, kernel: int, **options: object) -> keras.Layer:
        return layers.Conv2D(
            filters, kernel, kernel_initializer=self.initializer(), dtype=self.dtype, **options
        )

    def conv_transpose(self, filters: int) -> keras.Layer:
        return layers.Conv2DTranspose(
            filters,
            4,
            strides=2,
            padding="same",
            kernel_initializer=self.initializer(),
            dtype=self.dtype,
        )

    def leaky(self) -> keras.Layer:
        return layers.LeakyReLU(negative_slope=self.recipe.leaky_slope, dtype=self.dtype)


def build_generator(recipe: Recipe) -> keras.Model:
    """Builds the tutorial's generator.

    Args:
        recipe: `size`, `width`, `latent_dim`, `leaky_slope`, `precision` (not "auto"), `seed`.

    Returns:
        A model from latents (B, latent_dim) to pictures (B, size, size, 3), float32 in [-1, 1].
    """
    parts = _Parts(recipe, stream=0)
    side = recipe.size // 2**UPSAMPLINGS
    base, middle, wide = parts.channels(128), parts.channels(256), parts.channels(512)

    latents = keras.Input((recipe.latent_dim,), name="latents")
    x = parts.leaky()(parts.dense(base * side * side)(latents))
    x = layers.Reshape((side, side, base))(x)
    x = parts.leaky()(parts.conv(middle, 5, padding="same")(x))
    for _ in range(UPSAMPLINGS):
        x = parts.leaky()(parts.conv_transpose(middle)(x))
    for _ in range(2):
        x = parts.leaky()(parts.conv(wide, 5, padding="same")(x))
    x = parts.conv(3, 7, padding="same")(x)
    pictures = layers.Activation("tanh", dtype="float32", name="pictures")(x)
    return keras.Model(latents, pictures, name="generator")


def build_discriminator(recipe: Recipe) -> keras.Model:
    """Builds the tutorial's discriminator.

    Args:
        recipe: `size`, `width`, `leaky_slope`, `dropout`, `precision` (not "auto"), `seed`.

    Returns:
        A model from pictures (B, size, size, 3) in [-1, 1] to verdicts (B, 1), float32, 1 for
        real. `logits_of` gives what it says before the sigmoid.
    """
    parts = _Parts(recipe, stream=1)
    filters = parts.channels(256)

    pictures = keras.Input((recipe.size, recipe.size, 3), name="pictures")
    x = parts.leaky()(parts.conv(filters, 3)(pictures))
    for _ in range(DOWNSAMPLINGS):
        if x.shape[1] < 4:  # a 4x4 kernel no longer fits: pictures below 64 pixels
            break
        x = parts.leaky()(parts.conv(filters, 4, strides=2)(x))
    x = layers.Flatten(dtype=parts.dtype)(x)
    x = layers.Dropout(recipe.dropout, dtype=parts.dtype)(x)
    logits = parts.dense(1, dtype="float32", name="logits")(x)
    verdicts = layers.Activation("sigmoid", dtype="float32", name="verdicts")(logits)
    return keras.Model(pictures, verdicts, name="discriminator")


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
