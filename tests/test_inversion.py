"""The search: what it finds, and what a result depends on."""

import numpy as np
import pytest
from tiny_generators import DIM, SIDE, make

from kerasgan import codes, degradations, images
from kerasgan.backend import keras, tf
from kerasgan.conditions import Conditions
from kerasgan.inversion import BATCH, Search
from kerasgan.saved import Facts, SavedGenerator

STEPS = 60


@pytest.fixture(scope="module")
def generator():
    return make()


@pytest.fixture(scope="module")
def search(generator):
    """Searches for pictures that are known whole."""
    return Search(generator, degradations.identity(), steps=STEPS)


@pytest.fixture(scope="module")
def pictures(generator):
    """Pictures in [-1, 1] that the generator draws, (3, 16, 16, 3), and their codes."""
    drawn = codes.draw(generator, 3, seed=7)
    return np.asarray(generator.pictures(drawn)), drawn


def test_it_finds_what_the_generator_draws(search, pictures):
    found = search(pictures[0])
    assert found.pictures.shape == (3, SIDE, SIDE, 3)
    assert (found.error < found.latent_error + 1e-6).all()
    error = np.sqrt(np.mean((found.pictures - pictures[0]) ** 2, axis=(1, 2, 3)))
    np.testing.assert_allclose(found.error, error, rtol=1e-3)
    assert error.max() < 0.05 * pictures[0].std() + 0.02


def test_what_was_found_is_drawn_again(search, pictures):
    found = search(pictures[0])
    again = np.clip(search.draw(tf.constant(found.codes), tf.constant(found.offsets)), -1, 1)
    np.testing.assert_allclose(again, found.pictures, atol=1e-5)
    by_latent = np.asarray(search.draw(tf.constant(found.codes)))
    np.testing.assert_allclose(by_latent, search.generator.pictures(found.codes), atol=1e-6)


def test_features_come_closer_to_what_no_latent_gives(generator, search):
    strange = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 4, 4, 3))
    strange = strange.repeat(4, axis=1).repeat(4, axis=2).astype(np.float32)
    both = search(strange)
    alone = Search(generator, degradations.identity(), steps=STEPS, features=False)
    assert alone.parts is None
    assert both.error[0] < 0.8 * alone(strange).error[0]


def test_a_result_depends_on_its_picture_and_the_seed_alone(generator, search, pictures):
    alone = search(pictures[0][1:2])
    among = search(np.concatenate([pictures[0], -pictures[0], pictures[0], pictures[0][:1]]))
    assert len(among.pictures) > BATCH
    for name in ("codes", "offsets", "pictures", "error", "latent_error"):
        np.testing.assert_array_equal(getattr(among, name)[1:2], getattr(alone, name))
    again = Search(generator, degradations.identity(), steps=STEPS)(pictures[0][1:2])
    np.testing.assert_array_equal(again.pictures, alone.pictures)
    other = Search(generator, degradations.identity(), steps=STEPS, seed=1)
    assert not np.array_equal(other(pictures[0][1:2]).codes, alone.codes)


def test_an_encoder_says_where_to_begin(generator, pictures):
    known, drawn = pictures
    search = Search(generator, degradations.identity(), guess=lambda _: drawn[:3], steps=2)
    starts = search.starts(known)
    np.testing.assert_array_equal(starts[:, 0], drawn)
    assert starts.shape == (3, search.restarts, DIM)
    assert not np.allclose(starts[:, 1], drawn)


def test_each_step_is_told(search, pictures):
    told = []
    search(pictures[0], lambda: told.append(1))
    assert len(told) == search.steps == STEPS


@pytest.mark.parametrize("name", ["mask", "smaller", "noise"])
def test_under_every_degradation(generator, pictures, name):
    whole = pictures[0]
    degradation, known = {
        "mask": lambda: (
            degradations.mask(),
            degradations.masked(whole, degradations.box(SIDE)[None]),
        ),
        "smaller": lambda: (degradations.smaller(SIDE, 4), None),
        "noise": lambda: (degradations.noise(), degradations.noisy(whole, np.full(3, 0.05))),
    }[name]()
    if known is None:
        known = np.asarray(degradation.see(whole, None))
    found = Search(generator, degradation, steps=STEPS)(known)
    seen = np.asarray(degradation.see(found.pictures, known))
    square = np.sum(degradation.weigh(known) * (seen - known) ** 2, axis=(1, 2, 3))
    square /= np.asarray(degradation.count(known))
    np.testing.assert_allclose(found.error, np.sqrt(square), rtol=1e-3, atol=1e-6)
    assert found.error.max() < 0.5 * np.sqrt(np.mean(whole**2))


def test_doubts_and_looks_count(generator, pictures):
    """A critic that loves white makes pictures whiter; what compares looks is asked."""
    asked = []

    def likeness(one, other):
        asked.append(one.shape)
        return tf.reduce_mean((one - other) ** 2, axis=(1, 2, 3))

    known = pictures[0]
    plain = Search(generator, degradations.identity(), steps=8)(known)
    white = Search(
        generator,
        degradations.identity(),
        steps=8,
        likeness=likeness,
        critic=lambda x: 1000 * (tf.reduce_mean(x, axis=(1, 2, 3))[:, None] - 1),
    )(known)
    assert white.pictures.mean() > plain.pictures.mean()
    assert asked


def test_a_condition_is_searched_or_settled():
    latent, condition = keras.Input((3,)), keras.Input((2,))
    x = keras.layers.Concatenate()([latent, keras.layers.Rescaling(3.0)(condition)])
    first = keras.initializers.RandomNormal(stddev=0.3, seed=1)
    x = keras.layers.Dense(48, kernel_initializer=first)(x)
    x = keras.layers.Activation("tanh")(keras.layers.Reshape((4, 4, 3))(x))
    known = Conditions(["Smiling", "Male"], np.array([[1, -1], [-1, 1], [1, 1]], np.int8))
    generator = SavedGenerator(keras.Model([latent, condition], x), Facts(conditions=known))
    smiling = np.array([[1.0, -1.0]], np.float32)
    drawn = np.asarray(generator.pictures(np.ones((1, 3), np.float32), smiling))
    search = Search(generator, degradations.identity(), steps=150)
    assert search.parts is None
    np.testing.assert_allclose(search(drawn).codes[0, 3:], smiling[0], atol=0.2)

    settled = np.array([np.nan, 1], np.float32)
    found = Search(generator, degradations.identity(), conditions=settled, steps=10)(drawn)
    assert found.codes[0, 4] == 1


def test_pictures_are_of_the_range(search):
    found = search(np.full((1, SIDE, SIDE, 3), 1.0, np.float32))
    assert images.to_uint8(found.pictures).max() <= 255
    assert np.abs(found.pictures).max() <= 1
