"""Generators cut in two draw as they did, whatever family they are of."""

import dataclasses

import numpy as np
import pytest

from kerasgan import latents, models
from kerasgan.backend import keras
from kerasgan.recipes import PRESETS
from kerasgan.splitting import split

SMALL = {"width": 1 / 16, "latent_dim": 8, "precision": "float32"}


def cut_as_before(model, shape, fine=0.0):
    """Whether the cut is at features of a shape, and both parts draw what the whole does."""
    first, rest = split(model, fine)
    reads = [np.asarray(latents.draw(3, x.shape[1], seed=1)) for x in model.inputs]
    reads = reads if len(reads) > 1 else reads[0]
    np.testing.assert_allclose(rest(first(reads)), model(reads, training=False), atol=1e-6)
    return first.output_shape[1:] == shape


@pytest.mark.parametrize(
    ("preset", "shape"),
    [
        ("fast", (4, 4, 8)),
        ("dcgan", (4, 4, 16)),
        ("article", (4, 4, 8)),
        ("progressive", (4, 4, 32)),
        ("mlp", (64,)),
    ],
)
def test_every_family_is_cut_behind_its_first_activation(preset, shape):
    recipe = dataclasses.replace(PRESETS[preset], **{**SMALL, "size": 32})
    model = models.build_portable_generator(recipe)
    assert cut_as_before(model, shape)
    first, _ = split(model)
    kinds = {type(layer).__name__ for layer in first.layers[-2:]}  # the tutorial's reshapes last
    assert kinds & {"LeakyReLU", "ReLU", "Rescaling"}


def test_a_finer_cut_comes_later_and_again_is_the_same():
    recipe = dataclasses.replace(PRESETS["fast"], **{**SMALL, "size": 32})
    model = models.build_portable_generator(recipe)
    # Of 3072 numbers: 128 = 4x4x8, 256 = 8x8x4, 512 = 16x16x2 and 1024 = 32x32x1.
    for _ in range(2):
        assert cut_as_before(model, (4, 4, 8), fine=1 / 24)
        assert cut_as_before(model, (8, 8, 4), fine=1 / 23)
        assert cut_as_before(model, (32, 32, 1), fine=1 / 3)
        assert cut_as_before(model, (32, 32, 1), fine=1)


def test_a_condition_goes_in_before_the_cut():
    recipe = dataclasses.replace(
        PRESETS["fast"], **SMALL, size=32, conditions="Smiling,Male", classes=0
    )
    assert cut_as_before(models.build_portable_generator(recipe), (4, 4, 8))


def test_foreign_generators():
    sequential = keras.Sequential(
        [
            keras.Input((5,)),
            keras.layers.Dense(4 * 4 * 3, activation="relu"),
            keras.layers.Reshape((4, 4, 3)),
            keras.layers.UpSampling2D(),
            keras.layers.Conv2D(3, 3, padding="same", activation="tanh"),
        ]
    )
    assert cut_as_before(sequential, (4, 4, 3))


def test_what_cannot_be_cut():
    latents_in = keras.Input((5,))
    x = keras.layers.Reshape((4, 4, 3))(keras.layers.Dense(48)(latents_in))
    assert split(keras.Model(latents_in, keras.layers.Activation("tanh")(x))) is None

    # A latent that goes in again at the end has a way around each cut.
    again = keras.layers.Reshape((4, 4, 3))(keras.layers.Dense(48)(latents_in))
    x = keras.layers.Conv2D(3, 3, padding="same")(x)
    assert split(keras.Model(latents_in, keras.layers.Add()([x, again]))) is None
