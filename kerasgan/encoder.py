"""A network that guesses which latent a picture was drawn from: where a search begins.

Zhu et al. 2016, "Generative Visual Manipulation on the Natural Image Manifold". It is trained on
pictures that the generator draws, some of them masked, made small or noisy, so it needs no others;
it is made once a generator, and kept beside it.
"""

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import kerasgan
from kerasgan import cli, codes, degradations, network_file
from kerasgan.backend import keras, tf
from kerasgan.data import CACHE
from kerasgan.errors import UserError
from kerasgan.network_file import damaged
from kerasgan.saved import SavedGenerator

NAME = "encoder.keras"
KIND = "encoder"  # in messages
STEPS = 1500  # of the training: a few minutes on two cores
BATCH = 32  # pictures: of four quarters clean, noisy, masked and made small
LEARNING_RATE = 2e-3  # at first; it falls to 0 as a cosine does
CHANNELS = (32, 64, 96, 128)  # of the convolutions, the last as often as it takes
LAST_SIDE = 4  # of the features, pixels, at least
FACTORS = (2, 4, 8)  # that pictures are made smaller by
NOISE = 0.5  # largest deviation, of [-1, 1]


class Encoder:
    """Guesses the codes of pictures.

    Args:
        model: pictures (B, H, W, C) in [-1, 1] to codes (B, D + conditions).
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model

    def __call__(self, pictures: tf.Tensor) -> tf.Tensor:
        """Returns codes, float32 (B, D + conditions): a latent, then the condition."""
        return self.model(pictures, training=False)


def places(generator: SavedGenerator, cache: Path = CACHE) -> list[Path]:
    """Returns where a generator's encoder may be kept, the best place first."""
    beside = [] if generator.file is None else [generator.beside(NAME)]
    return [*beside, cache / "encoders" / f"{generator.fingerprint}.keras"]


def kept(generator: SavedGenerator, cache: Path = CACHE) -> Encoder | None:
    """Loads a generator's encoder; None where it has none yet."""
    found = (read(place, generator) for place in places(generator, cache))
    return next((encoder for encoder in found if encoder is not None), None)


def of(
    generator: SavedGenerator,
    steps: int | None = None,
    cache: Path = CACHE,
    on_step: Callable[[], object] | None = None,
) -> Encoder:
    """Loads a generator's encoder, or trains it and keeps it beside the generator.

    Where nothing can be written there, as beside a generator that is installed, it is kept in the
    folder of caches.

    Args:
        generator: whose pictures are square.
        steps: of the training, if it comes to that; `STEPS` unless given.
        cache: the folder of caches.
        on_step: called after each step of the training.
    """
    if (found := kept(generator, cache)) is not None:
        return found
    print("The generator has no encoder of its own yet: training one, once, in a few minutes.")
    made = train(generator, steps or STEPS, on_step=on_step)
    for place in places(generator, cache):
        with contextlib.suppress(OSError):
            write(place, made, generator)
            print(place)
            break
    return made


def write(place: Path, encoder: Encoder, generator: SavedGenerator) -> None:
    """Writes an encoder as a `.keras` file, in half precision, with its generator's fingerprint."""
    facts = {"version": kerasgan.__version__, "generator": generator.fingerprint}
    network_file.write(place, encoder.model, facts, half=True)


def read(place: Path, generator: SavedGenerator) -> Encoder | None:
    """Reads a generator's encoder; None where there is none, or that of other weights."""
    if not place.is_file():
        return None
    try:
        facts = network_file.check(place, KIND)[network_file.FACTS]
        if not isinstance(facts, dict) or facts.get("generator") != generator.fingerprint:
            return None
        model = network_file.open_checked(place, KIND)
        numbers = codes.draw(generator, 1, seed=0).shape[1]
        shape = (None, generator.height, generator.width, generator.channels)
        if (model.input_shape, model.output_shape) != (shape, (None, numbers)):
            raise damaged(place, KIND, "which does not fit its generator")
    except UserError as error:
        print(f"warning: {error} It is made anew.", file=sys.stderr)
        return None
    return Encoder(model)


def build(shape: tuple[int, int, int], numbers: int, seed: int = 0) -> keras.Model:
    """Builds the network, untrained.

    Args:
        shape: of a picture, (H, W, C).
        numbers: how many it guesses.
        seed: of its first weights.
    """
    seeds = iter(np.random.SeedSequence(seed).generate_state(32).tolist())
    pictures = x = keras.Input(shape, name="pictures")
    block = 0
    while min(x.shape[1:3]) > LAST_SIDE or not block:
        x = keras.layers.Conv2D(
            CHANNELS[min(block, len(CHANNELS) - 1)],
            5 if block == 0 else 3,
            strides=2,
            padding="same",
            use_bias=False,
            kernel_initializer=keras.initializers.HeNormal(next(seeds)),
        )(x)
        x = keras.layers.BatchNormalization(momentum=0.95)(x)
        x = keras.layers.LeakyReLU(negative_slope=0.2)(x)
        block += 1
    x = keras.layers.Flatten()(x)
    first = keras.initializers.GlorotUniform(next(seeds))
    return keras.Model(pictures, keras.layers.Dense(numbers, kernel_initializer=first)(x))


def train(
    generator: SavedGenerator,
    steps: int = STEPS,
    seed: int = 0,
    on_step: Callable[[], object] | None = None,
) -> Encoder:
    """Trains an encoder on pictures of the generator's own, with a progress bar.

    Args:
        generator: whose pictures are square.
        steps: of the training, `BATCH` pictures each.
        seed: of first weights, latents and damage; at least 0.
        on_step: called after each step.
    """
    height, width = generator.height, generator.width
    if height is None or width is None:
        raise ValueError("An encoder reads pictures of one size. Received: a generator of any.")
    shape = (height, width, generator.channels)
    numbers = codes.draw(generator, 1, seed).shape[1]
    model = build(shape, numbers, seed)
    step = _compiled_step(generator, model, steps)
    with cli.progress(steps, "Training the encoder") as bar:
        for number in range(steps):
            drawn = codes.draw(generator, BATCH, seed=seed + 1 + number)
            loss = step(drawn, *_damage(shape, np.random.default_rng([seed, number])))
            if number % 10 == 9:
                bar.set_postfix(error=f"{float(loss):.3f}", refresh=False)
            bar.update()
            if on_step is not None:
                on_step()
    return Encoder(model)


def _compiled_step(generator: SavedGenerator, model: keras.Model, steps: int) -> Any:
    """Returns a function of codes, noise, masks and a resizing that does one update."""
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(model.trainable_variables)

    @tf.function(autograph=False)
    def step(
        drawn: tf.Tensor, noise: tf.Tensor, masks: tf.Tensor, resizing: tf.Tensor
    ) -> tf.Tensor:
        pictures = tf.clip_by_value(generator.pictures(*codes.parts(generator, drawn)), -1, 1)
        clean, noisy, masked, small = tf.split(pictures, 4)
        small = tf.einsum("ph,bhwc,qw->bpqc", resizing, small, resizing)
        shown = tf.concat([clean, noisy + noise, masked * masks, small], axis=0)
        with tf.GradientTape() as tape:
            error = tf.reduce_mean(tf.square(model(shown, training=True) - drawn))
        slopes = tape.gradient(error, model.trainable_variables)
        optimizer.apply(slopes, model.trainable_variables)
        return error

    return step


def _damage(
    shape: tuple[int, int, int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws noise, masks and a resizing for a quarter of a batch each."""
    quarter, (height, width, channels) = BATCH // 4, shape
    sigma = rng.uniform(0, NOISE, (quarter, 1, 1, 1))
    noise = (sigma * rng.standard_normal((quarter, height, width, channels))).astype(np.float32)
    masks = rng.random((quarter, height, width, 1)) > rng.random((quarter, 1, 1, 1)) * 0.8
    for mask in masks[::2]:
        mask[:] = True
        sides = (rng.uniform(0.2, 0.6, 2) * (height, width)).astype(int)
        top, left = (rng.random(2) * ((height, width) - sides)).astype(int)
        mask[top : top + sides[0], left : left + sides[1]] = False
    factors = [factor for factor in FACTORS if height % factor == 0 and height // factor >= 4]
    resizing = np.eye(height, dtype=np.float32)
    if factors:
        resizing = degradations.there_and_back(height, int(rng.choice(factors)))
    return noise, masks.astype(np.float32), resizing
