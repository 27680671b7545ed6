"""Augmentation of what D sees: each change by an independent way, gradients, ADA's steps."""

import numpy as np
import pytest

from kerasgan import augment
from kerasgan.backend import tf

ALL = {"color", "translation", "cutout"}


def seed(number):
    return tf.constant([7, number], tf.int64)


def some_pictures(channels=3, count=64):
    rng = np.random.default_rng(1)
    return rng.uniform(-1, 1, (count, 16, 16, channels)).astype(np.float32)


def test_share_0_changes_nothing_and_share_1_everything():
    pictures = some_pictures()
    np.testing.assert_array_equal(augment.augment(pictures, 0.0, ALL, seed(0)), pictures)
    changed = augment.augment(pictures, 1.0, ALL, seed(0)).numpy()
    assert changed.shape == pictures.shape and changed.dtype == np.float32
    assert np.all(np.any(changed != pictures, axis=(1, 2, 3)))


def test_a_share_is_that_of_the_pictures():
    pictures = some_pictures(count=400)
    changed = augment.augment(pictures, 0.25, {"color"}, seed(0)).numpy()
    share = np.mean(np.any(changed != pictures, axis=(1, 2, 3)))
    assert 0.17 < share < 0.33


def test_a_seed_decides_all():
    pictures = some_pictures()
    first, again, other = (augment.augment(pictures, 0.7, ALL, seed(n)).numpy() for n in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_translation_moves_by_whole_pixels_up_to_an_eighth():
    pictures = some_pictures(count=200)
    moved = augment.augment(pictures, 1.0, {"translation"}, seed(0)).numpy()
    seen = set()
    for before, after in zip(pictures, moved, strict=True):
        ways = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-2, 3)
            if np.array_equal(shifted(before, down, right), after)
        ]
        assert len(ways) == 1
        seen.add(ways[0])
    assert len(seen) == 25


def shifted(picture, down, right):
    padded = np.pad(picture, ((2, 2), (2, 2), (0, 0)))
    return padded[2 - down : 18 - down, 2 - right : 18 - right]


def test_cutout_greys_a_square_of_half_the_side():
    pictures = np.ones((200, 16, 16, 3), np.float32)
    cut = augment.augment(pictures, 1.0, {"cutout"}, seed(0)).numpy()
    assert set(np.unique(cut)) == {0.0, 1.0}
    heights = []
    for picture in 1 - cut[..., 0]:
        rows, columns = np.flatnonzero(picture.any(axis=1)), np.flatnonzero(picture.any(axis=0))
        assert picture.sum() == len(rows) * len(columns)
        assert len(rows) == np.ptp(rows) + 1 and len(columns) == np.ptp(columns) + 1
        # A middle at the edge leaves half of the square inside.
        assert 4 <= len(rows) <= 8 and 4 <= len(columns) <= 8
        heights.append(len(rows))
    assert {4, 8} <= set(heights)


def test_colour_keeps_what_it_should():
    """Flat grey pictures stay flat and grey, moved by brightness alone, at most 1/2."""
    flat = np.full((100, 16, 16, 3), 0.2, np.float32)
    changed = augment.augment(flat, 1.0, {"color"}, seed(0)).numpy()
    assert np.ptp(changed, axis=(1, 2, 3)).max() < 1e-6
    moves = changed[:, 0, 0, 0] - 0.2
    assert -0.5 <= moves.min() < -0.4 and 0.4 < moves.max() <= 0.5


def test_contrast_and_saturation_scale_distances():
    pictures = some_pictures(count=300)
    changed = augment.augment(pictures, 1.0, {"color"}, seed(0)).numpy()
    # The spread of the three channels' mean over a picture scales by contrast alone.
    contrast = np.std(changed.mean(3), axis=(1, 2)) / np.std(pictures.mean(3), axis=(1, 2))
    assert 0.5 <= contrast.min() < 0.55 and 1.45 < contrast.max() <= 1.5
    colour = pictures - pictures.mean(3, keepdims=True)
    now = changed - changed.mean(3, keepdims=True)
    factor = np.std(now, axis=(1, 2, 3)) / np.std(colour, axis=(1, 2, 3)) / contrast
    assert 0 <= factor.min() < 0.1 and 1.9 < factor.max() <= 2.001


def test_grey_pictures_are_augmented_too():
    changed = augment.augment(some_pictures(channels=1), 1.0, ALL, seed(0)).numpy()
    assert changed.shape == (64, 16, 16, 1) and np.isfinite(changed).all()


def test_gradients_are_those_of_differences():
    """Through every change at once, and through the gradient itself."""
    start = tf.constant(some_pictures(count=2))
    weights = tf.constant(np.random.default_rng(2).normal(size=start.shape), tf.float32)

    @tf.function(autograph=False)
    def value(pictures):
        return tf.reduce_sum(weights * augment.augment(pictures, 1.0, ALL, seed(5)) ** 3)

    with tf.GradientTape() as outer:
        outer.watch(start)
        with tf.GradientTape() as tape:
            tape.watch(start)
            total = value(start)
        gradient = tape.gradient(total, start)
        squares = tf.reduce_sum(gradient**2)
    curvature = outer.gradient(squares, start)
    way = tf.constant(np.random.default_rng(3).normal(size=start.shape), tf.float32)
    expected = (value(start + 1e-2 * way) - value(start - 1e-2 * way)) / 2e-2
    assert float(tf.reduce_sum(gradient * way)) == pytest.approx(float(expected), rel=0.01)

    def squared(pictures):
        with tf.GradientTape() as tape:
            tape.watch(pictures)
            total = value(pictures)
        return tf.reduce_sum(tape.gradient(total, pictures) ** 2)

    expected = (squared(start + 1e-2 * way) - squared(start - 1e-2 * way)) / 2e-2
    assert float(tf.reduce_sum(curvature * way)) == pytest.approx(float(expected), rel=0.01)


def test_ada_follows_the_mean_sign_of_the_logits():
    sure, torn = tf.fill((8, 1), 3.0), tf.constant([[1.0], [-1.0]] * 4)
    # 8 reals of 1000 from 0 to 1: a step of 0.008.
    assert float(augment.adapted(tf.constant(0.5), sure, 0.6, 1000)) == pytest.approx(0.508)
    assert float(augment.adapted(tf.constant(0.5), torn, 0.6, 1000)) == pytest.approx(0.492)
    assert float(augment.adapted(tf.constant(0.0), torn, 0.6, 1000)) == 0.0
    assert float(augment.adapted(tf.constant(1.0), sure, 0.6, 1000)) == 1.0
