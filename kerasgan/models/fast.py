"""Small networks for a CPU: faces in minutes. The recipe `fast` trains them.

G is DCGAN's with an eighth of its channels and one 3x3 convolution more at the full size. What the
last transposed convolution draws is averaged over 2x2 pixels, which leaves nothing of the grid of
dots that its four kinds of pixels make (Odena et al. 2016); only layers that treat all pixels
alike follow. Its latents lie on a sphere, and its pictures leave the last layer unbounded, so that
no tanh can saturate. D has a hidden layer before its verdict and no normalisation: its slope is
bounded by R1 and R2 (Roth et al. 2017; Huang et al. 2024, "The GAN is dead; long live the GAN!").
"""

import math

from kerasgan.backend import keras
from kerasgan.models.parts import Parts, layers
from kerasgan.recipes import Recipe

NARROWEST, WIDEST = 16, 256  # channels of G: at the full size, doubled at each halving of the side
D_NARROWEST, D_WIDEST = 48, 384  # channels of D, the same from half of the size on
D_HIDDEN = 256  # units of D's hidden layer
FIRST_SIDE = 4  # of G's first features and D's last
HE = math.sqrt(2)  # keeps the scale through a ReLU (He et al. 2015)


def build_generator(recipe: Recipe, portable: bool = False) -> keras.Model:
    """Builds the generator.

    The arguments and what is returned are `kerasgan.models.build_generator`'s.
    """
    parts = Parts(recipe, "generator", portable)
    doublings = int(math.log2(recipe.size // FIRST_SIDE))
    first, *others = reversed(_channels(parts, NARROWEST, WIDEST, doublings + 1))
    bias = not parts.normalises  # BatchNorm has its own

    latents = keras.Input((recipe.latent_dim,), name="latents")
    x = layers.UnitNormalization(dtype="float32")(latents)
    x = layers.Rescaling(math.sqrt(recipe.latent_dim), dtype="float32")(x)
    x = parts.steered(x)
    x = parts.dense(FIRST_SIDE**2 * first, use_bias=bias, std=x.shape[1] ** -0.5)(x)
    x = layers.Reshape((FIRST_SIDE, FIRST_SIDE, first))(x)
    x = parts.leaky()(parts.batch_norm()(x))
    for filters in others:
        std = HE / math.sqrt(4 * x.shape[-1])  # each output pixel has 2x2 inputs
        x = parts.doubling(filters, use_bias=bias, std=std)(x)
        x = parts.leaky()(parts.batch_norm()(x))
    x = layers.AveragePooling2D(2, strides=1, padding="same", dtype=parts.dtype)(x)
    x = parts.conv(others[-1], 3, padding="same", use_bias=bias, std=_std(HE, 3, x))(x)
    x = parts.leaky()(parts.batch_norm()(x))
    x = parts.conv(recipe.channels, 3, padding="same", std=_std(0.7, 3, x))(x)
    # In training even what is too bright or too dark has a slope.
    bounds = "hard_tanh" if portable else "linear"
    pictures = layers.Activation(bounds, dtype="float32", name="pictures")(x)
    return parts.model(latents, pictures)


def build_discriminator(recipe: Recipe, portable: bool = False) -> keras.Model:
    """Builds the discriminator.

    The arguments and what is returned are `kerasgan.models.build_discriminator`'s.
    """
    parts = Parts(recipe, "discriminator", portable)
    halvings = int(math.log2(recipe.size // FIRST_SIDE))
    first, *others = _channels(parts, D_NARROWEST, D_WIDEST, halvings)
    bias = not parts.normalises

    pictures = keras.Input((recipe.size, recipe.size, recipe.channels), name="pictures")
    x = parts.opening(first, std=_std(1.0, 6, pictures))(pictures)
    for filters in others:
        x = parts.halving(filters, use_bias=bias, std=_std(HE, 4, x))(parts.leaky()(x))
        x = parts.batch_norm()(x)
    x = layers.Flatten(dtype=parts.dtype)(parts.leaky()(x))
    x = parts.leaky()(parts.dense(parts.channels(D_HIDDEN), std=HE * x.shape[1] ** -0.5)(x))
    return parts.model(pictures, parts.verdicts(parts.dropout()(x)))


def _channels(parts: Parts, narrowest: int, widest: int, count: int) -> list[int]:
    """Returns channels from the picture inwards, doubled each time."""
    return [parts.channels(min(narrowest * 2**block, widest)) for block in range(count)]


def _std(gain: float, side: int, x: keras.KerasTensor) -> float:
    """Returns the deviation of a kernel's weights that scales features `x` by a gain."""
    return gain / math.sqrt(side**2 * x.shape[-1])
