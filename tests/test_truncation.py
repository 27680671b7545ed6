"""Truncation: faces nearer to the average, in the features after the first layers."""

import numpy as np
import pytest
import tiny_generators

from kerasgan import codes, directions, latents, saved
from kerasgan.backend import keras
from kerasgan.conditions import Conditions
from kerasgan.errors import UserError
from kerasgan.saved import Facts, SavedGenerator
from kerasgan.truncation import Truncated, require_length

DIM = 4


def build(names: int = 0) -> keras.Model:
    """Latents, and conditions, to 8 features behind a ReLU, to pictures: two dense layers."""
    layers = keras.layers
    first = keras.initializers.RandomNormal(stddev=0.6, seed=1)
    second = keras.initializers.RandomNormal(stddev=0.3, seed=2)
    reads = x = keras.Input((DIM,), name="latents")
    if names:
        condition = keras.Input((names,), name="conditions")
        reads, x = [reads, condition], layers.Concatenate()([x, condition])
    x = layers.ReLU()(layers.Dense(8, kernel_initializer=first)(x))
    x = layers.Dense(48, kernel_initializer=second, activation="tanh")(x)
    return keras.Model(reads, layers.Reshape((4, 4, 3))(x))


def by_hand(model: keras.Model, reads: np.ndarray, amount: float, average: np.ndarray):
    """The truncated pictures in NumPy."""
    first, _, second, bias = model.get_weights()
    features = np.maximum(reads @ first, 0)
    features = average + amount * (features - average)
    return np.rint((np.tanh(features @ second + bias) + 1) * 127.5).reshape(-1, 4, 4, 3)


def average_of(model: keras.Model, condition: tuple[float, ...] = ()) -> np.ndarray:
    """The average features, of latents of a kind of its own."""
    drawn = np.random.default_rng(99).standard_normal((200_000, DIM))
    reads = np.hstack([drawn, np.tile(condition, (len(drawn), 1))])
    return np.maximum(reads @ model.get_weights()[0], 0).mean(axis=0)


@pytest.mark.parametrize("amount", [0.0, 0.7, 1.0, 1.5])
def test_features_move_towards_their_average(amount):
    generator = SavedGenerator(build(), Facts())
    drawn = latents.draw(5, DIM, 3)
    expected = by_hand(generator.model, drawn, amount, average_of(generator.model))
    pictures = Truncated(generator, amount).draw(drawn)
    assert pictures.dtype == np.uint8 and pictures.shape == (5, 4, 4, 3)
    # The average is one of many latents, not of all.
    assert np.abs(pictures - expected).max() <= (1 if amount == 1 else 4)
    assert bool(np.ptp(pictures.astype(int), axis=0).any()) is (amount != 0)


def test_under_a_condition_the_average_is_of_faces_with_it():
    facts = Facts(conditions=Conditions(["Smiling", "Male"], np.array([[1, -1], [-1, 1]], np.int8)))
    generator = SavedGenerator(build(names=2), facts)
    conditions = np.array([[1, -1], [-1, 1], [1, -1]], np.float32)
    truncated = Truncated(generator, 0.0)
    drawn = truncated.draw(latents.draw(3, DIM, 3), conditions)
    np.testing.assert_array_equal(drawn[0], drawn[2])
    for picture, row in zip(drawn[:2], conditions, strict=False):
        average = average_of(generator.model, tuple(row))
        expected = by_hand(generator.model, np.zeros((1, DIM + 2)), 0.0, average)
        assert np.abs(picture - expected).max() <= 4
    assert np.abs(drawn[0].astype(int) - drawn[1]).max() > 20
    assert truncated.conditions is facts.conditions


def test_it_changes_what_a_factor_on_latents_does_not():
    generator = tiny_generators.make()  # reads the direction of a latent alone
    assert codes.normalises(generator)
    drawn = latents.draw(20, tiny_generators.DIM, 1)
    whole, shorter = (generator.draw(drawn * scale) for scale in (1, 0.5))
    assert np.abs(whole.astype(int) - shorter).max() <= 1
    nearer = Truncated(generator, 0.5).draw(drawn)
    assert 0.3 < nearer.std(axis=0).mean() / whole.std(axis=0).mean() < 0.8


def test_a_picture_does_not_depend_on_those_beside_it():
    truncated = Truncated(tiny_generators.make(), 0.6)
    drawn = latents.draw(saved.BATCH + 3, tiny_generators.DIM, 1)
    np.testing.assert_array_equal(truncated.draw(drawn)[-1:], truncated.draw(drawn[-1:]))


def test_it_can_be_edited_as_well():
    truncated = Truncated(tiny_generators.make(), 0.6)
    drawn = latents.draw(2, tiny_generators.DIM, 1)
    way = directions.components(truncated.generator, 1)[0]
    moved = directions.move(drawn, way.vector, 2.0)
    edited = directions.Edited(truncated, [(way, 2.0)])
    np.testing.assert_array_equal(edited.draw(drawn), truncated.draw(moved))


def test_a_generator_of_one_layer_is_refused():
    inputs = keras.Input((DIM,))
    x = keras.layers.Dense(48, activation="tanh")(inputs)
    model = keras.Model(inputs, keras.layers.Reshape((4, 4, 3))(x))
    with pytest.raises(UserError, match="`--truncation` should come with a generator that can be"):
        Truncated(SavedGenerator(model, Facts()), 0.5)


def test_a_factor_that_changes_nothing_is_refused():
    require_length(tiny_generators.make(normalised=False), 0.5)
    require_length(tiny_generators.make(), 1.0)
    with pytest.raises(UserError, match="Type: --truncation 0.5"):
        require_length(tiny_generators.make(), 0.5)
