"""A network that tells attributes or classes of a picture: how well conditions steer, it says.

It is small, and trained in seconds on pictures whose conditions are known. It knows nothing of the
generator whose pictures it scores.
"""

import numpy as np

from kerasgan import cli, images
from kerasgan.backend import keras
from kerasgan.conditions import Conditions
from kerasgan.data.batches import Batches

FILTERS = (16, 32, 64, 64)  # of the convolutions, each halving the side
BATCH = 64  # pictures
DROPPED = 0.3  # fraction of the last features
LEARNING_RATE = 2e-3  # at first; it falls to 0 as a cosine does


def train_scorer(
    pixels: np.ndarray, conditions: Conditions, steps: int, seed: int = 0
) -> keras.Model:
    """Trains a network on pictures whose conditions are known.

    All it draws comes from the seed. Nothing that is random in the process is touched, so that a
    training beside it stays as it is.

    Args:
        pixels: uint8, (N, H, W, C), N at least 64.
        conditions: of these pictures.
        steps: of the training, 64 pictures each.
        seed: of the first weights, the order of the pictures and the dropout; at least 0.

    Returns:
        A model from pictures, float32 (B, H, W, C) in [-1, 1], to a logit for each name, (B, A).
    """
    scorer = build_scorer(pixels.shape[1:], len(conditions.names), seed)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    scorer.compile(keras.optimizers.Adam(rate), logistic_loss)
    batches = Batches(pixels, BATCH, seed=seed + 1, flip=True, conditions=conditions)
    with cli.progress(steps, "Training the scorer") as bar:
        for step in range(steps):
            pictures, _ = batches.at(step)
            scorer.train_on_batch(pictures, signs(conditions.take(batches.indices(step))))
            bar.update()
    return scorer


def build_scorer(shape: tuple[int, ...], names: int, seed: int = 0) -> keras.Model:
    """Builds the network, untrained.

    Args:
        shape: of a picture, (H, W, C).
        names: how many attributes or classes it tells.
        seed: of its first weights and its dropout.
    """
    seeds = iter(np.random.SeedSequence(seed).generate_state(len(FILTERS) + 2).tolist())
    inputs = x = keras.Input(shape)
    for filters in FILTERS:
        first = keras.initializers.GlorotUniform(next(seeds))
        x = keras.layers.Conv2D(
            filters, 3, strides=2, padding="same", use_bias=False, kernel_initializer=first
        )(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.9)(x))
    x = keras.layers.Dropout(DROPPED, seed=next(seeds))(keras.layers.Flatten()(x))
    first = keras.initializers.GlorotUniform(next(seeds))
    return keras.Model(inputs, keras.layers.Dense(names, kernel_initializer=first)(x))


def signs(conditions: Conditions) -> np.ndarray:
    """Returns what a scorer should say, float32 (N, A): 1 yes, -1 no, 0 not known."""
    vectors = conditions.vectors()
    if conditions.are_classes:
        return np.where(conditions.values[:, None] >= 0, 2 * vectors - 1, 0).astype(np.float32)
    return vectors


def logistic_loss(wanted: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    """Returns the mean log(1 + exp(-wanted * logit)), counting 0 where nothing is known."""
    return keras.ops.mean(keras.ops.softplus(-wanted * logits) * keras.ops.abs(wanted))


def score(scorer: keras.Model, pixels: np.ndarray) -> np.ndarray:
    """Returns a scorer's logits of pictures, above 0 where it says yes.

    Args:
        scorer: that `train_scorer` returned.
        pixels: uint8, (N, H, W, C), N at least 1.

    Returns:
        float32, (N, A), a column for each name.
    """
    batches = np.array_split(np.arange(len(pixels)), -(-len(pixels) // BATCH))
    return np.concatenate(
        [scorer(images.to_float(pixels[part]), training=False) for part in batches]
    )


def agree(scorer: keras.Model, pixels: np.ndarray, wanted: Conditions) -> np.ndarray:
    """Returns whether a scorer says what is wanted of pictures.

    Args:
        scorer: that `train_scorer` returned.
        pixels: uint8, (N, H, W, C).
        wanted: of these pictures.

    Returns:
        bool, (N, A) of attributes, (N, 1) of classes.
    """
    logits = score(scorer, pixels)
    if wanted.are_classes:
        return (logits.argmax(axis=1) == wanted.values)[:, None]
    return np.sign(logits) == wanted.values
