"""Generators small enough to be made in a test, and an encoder beside one."""

from pathlib import Path

from kerasgan import encoder, saved
from kerasgan.backend import keras
from kerasgan.saved import SavedGenerator

DIM = 6
SIDE = 16


def build(channels: int = 3, normalised: bool = True) -> keras.Model:
    """A generator of 16x16 pictures as `fast` has them: latents on a sphere, 4x4 features first."""
    layers = keras.layers
    seeds = iter(range(1, 9))

    def normal(scale: float) -> keras.initializers.Initializer:
        return keras.initializers.RandomNormal(stddev=scale, seed=next(seeds))

    latents = x = keras.Input((DIM,), name="latents")
    if normalised:
        x = layers.Rescaling(DIM**0.5)(layers.UnitNormalization()(x))
    x = layers.Dense(4 * 4 * 8, kernel_initializer=normal(0.5))(x)
    x = layers.LeakyReLU(negative_slope=0.2)(layers.Reshape((4, 4, 8))(x))
    for filters in (8, 6):
        x = layers.Conv2DTranspose(
            filters, 4, strides=2, padding="same", kernel_initializer=normal(0.2)
        )(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    x = layers.Conv2D(channels, 3, padding="same", kernel_initializer=normal(0.2))(x)
    return keras.Model(latents, layers.Activation("tanh", name="pictures")(x))


def make(channels: int = 3, normalised: bool = True) -> SavedGenerator:
    """The same, to draw with."""
    return SavedGenerator(build(channels, normalised))


def write_with_encoder(folder: Path, channels: int = 3) -> Path:
    """Writes a generator's file and an encoder, untrained, beside it; returns the file."""
    file = folder / "generator.keras"
    saved.write(file, build(channels))
    generator = saved.load(file)
    model = encoder.build((SIDE, SIDE, channels), DIM)
    encoder.write(generator.beside(encoder.NAME), encoder.Encoder(model), generator)
    return file
