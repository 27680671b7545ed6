"""The scorer on tiny pictures, one attribute of which is plain to see."""

import random

import numpy as np
import pytest

from kerasgan import scorer
from kerasgan.backend import tf
from kerasgan.conditions import Conditions

NAMES = ["Bright", "Coin"]


def pictures(count, seed):
    """Dark and bright noise, uint8 (N, 16, 16, 3), with a coin that nothing shows."""
    rng = np.random.default_rng(seed)
    values = rng.choice([-1, 1], (count, 2)).astype(np.int8)
    noise = rng.integers(0, 120, (count, 16, 16, 3))
    pixels = noise + 60 * (values[:, 0] + 1)[:, None, None, None]
    return pixels.astype(np.uint8), Conditions(NAMES, values)


@pytest.fixture(scope="module")
def trained():
    return scorer.train_scorer(*pictures(128, 0), steps=30)


def test_it_learns_what_is_plain_and_not_what_is_chance(trained):
    bright, coin = scorer.agree(trained, *pictures(200, 1)).mean(axis=0)
    assert bright > 0.97
    assert 0.35 < coin < 0.65  # half, by more than four standard deviations


def test_one_class_of_several(trained):
    pixels, known = pictures(100, 2)
    bright = Conditions(["dark", "bright"], np.maximum(known.values[:, 0], 0).astype(np.int32))
    right = scorer.agree(scorer.train_scorer(pixels, bright, steps=30), pixels, bright)
    assert right.shape == (100, 1) and right.mean() > 0.97


def test_a_seed_gives_one_scorer():
    def weights(seed):
        return scorer.train_scorer(*pictures(64, 0), steps=3, seed=seed).get_weights()

    first, again, other = weights(0), weights(0), weights(1)
    assert all(map(np.array_equal, first, again))
    assert not np.array_equal(first[0], other[0])


def test_the_randomness_of_the_process_is_left_alone():
    random.seed(7)
    np.random.seed(7)
    tf.random.set_seed(7)
    expected = tf.random.uniform((3,)).numpy()
    tf.random.set_seed(7)
    before, numpys = random.getstate(), np.random.get_state()[1].copy()
    scorer.train_scorer(*pictures(64, 0), steps=2)
    assert random.getstate() == before
    np.testing.assert_array_equal(np.random.get_state()[1], numpys)
    np.testing.assert_array_equal(tf.random.uniform((3,)).numpy(), expected)


def test_signs_and_loss_by_hand():
    classes = Conditions(["a", "b", "c"], np.array([2, -1], np.int32))
    np.testing.assert_array_equal(scorer.signs(classes), [[-1, -1, 1], [0, 0, 0]])
    attributes = Conditions(["a", "b"], np.array([[1, 0]], np.int8))
    np.testing.assert_array_equal(scorer.signs(attributes), [[1, 0]])
    loss = scorer.logistic_loss(scorer.signs(attributes), np.array([[3.0, 5.0]], np.float32))
    assert float(loss) == pytest.approx(np.log1p(np.exp(-3)) / 2, rel=1e-5)
