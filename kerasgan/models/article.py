"""The tutorial's networks: convolutions without normalisation."""

from kerasgan.backend import keras
from kerasgan.models.parts import Parts, layers
from kerasgan.recipes import Recipe

DOWNSAMPLINGS = 4  # strided convolutions in the discriminator, where the picture has room


def build_generator(recipe: Recipe, portable: bool = False) -> keras.Model:
    """Builds the generator; it begins at an eighth of the side, or a quarter if 8 divides it not.

    The arguments and what is returned are `kerasgan.models.build_generator`'s.
    """
    parts = Parts(recipe, "generator", portable)
    upsamplings = 3 if recipe.size % 8 == 0 else 2
    side = recipe.size // 2**upsamplings
    base, middle, wide = parts.channels(128), parts.channels(256), parts.channels(512)

    latents = keras.Input((recipe.latent_dim,), name="latents")
    x = parts.dense(base * side * side)(parts.steered(latents))
    x = layers.Reshape((side, side, base))(parts.leaky()(x))
    x = parts.leaky()(parts.batch_norm()(parts.conv(middle, 5, padding="same")(x)))
    for _ in range(upsamplings):
        x = parts.leaky()(parts.batch_norm()(parts.conv_transpose(middle)(x)))
    for _ in range(2):
        x = parts.leaky()(parts.batch_norm()(parts.conv(wide, 5, padding="same")(x)))
    x = parts.conv(recipe.channels, 7, padding="same")(x)
    return parts.model(latents, parts.pictures(x))


def build_discriminator(recipe: Recipe, portable: bool = False) -> keras.Model:
    """Builds the discriminator.

    The arguments and what is returned are `kerasgan.models.build_discriminator`'s.
    """
    parts = Parts(recipe, "discriminator", portable)
    filters = parts.channels(256)

    pictures = keras.Input((recipe.size, recipe.size, recipe.channels), name="pictures")
    x = parts.leaky()(parts.conv(filters, 3)(pictures))
    for _ in range(DOWNSAMPLINGS):
        if x.shape[1] < 4:  # a 4x4 kernel no longer fits: pictures below 64 pixels
            break
        x = parts.leaky()(parts.batch_norm()(parts.conv(filters, 4, strides=2)(x)))
    x = layers.Flatten(dtype=parts.dtype)(x)
    return parts.model(pictures, parts.verdicts(parts.dropout()(x)))
