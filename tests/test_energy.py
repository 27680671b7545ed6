"""The energy distance of thumbnails, and that both kinds of steps follow its slopes."""

import dataclasses

import numpy as np
import pytest

from kerasgan import energy
from kerasgan.backend import tf
from kerasgan.chance import Chance, D
from kerasgan.gan import GAN
from kerasgan.recipes import PRESETS


def even(*colours, side=8):
    """Pictures of one colour each, (B, side, side, C)."""
    return tf.constant(np.tile(np.float32(colours)[:, None, None], (1, side, side, 1)))


def test_distance_by_hand():
    """Greys 0 and 1 against 1/2 and -1/2: 1/2, 1/2, 1/2 and 3/2 across, 1 and 1 among."""
    reals, fakes = even([0.0], [1.0]), even([0.5], [-0.5])
    assert float(energy.distance(reals, fakes)) == pytest.approx(0.75 - 1, abs=1e-3)


@pytest.mark.parametrize(
    ("colour", "length"),
    [((0.5, 0.5, 0.5), 0.75**0.5), ((0.5, -0.5, 0), 4 * 0.5**0.5), ((0.5, 0.5, -1), 4 * 1.5**0.5)],
)
def test_colours_count_four_times(colour, length):
    reals, fakes = even((0, 0, 0), (0, 0, 0)), even(colour, colour)
    assert float(energy.distance(reals, fakes)) == pytest.approx(length, abs=2e-3)


@pytest.mark.parametrize("side", [4, 30, 64])
def test_cells_are_means_of_their_pixels(side):
    """Also where they cut pixels: against pictures of twice the side, where they do not."""
    fakes = np.random.default_rng(0).uniform(0, 1, (1, side, side, 1)).astype(np.float32)
    fakes *= np.linspace(0, 1, side)[:, None, None]
    twice = fakes[0, :, :, 0].repeat(2, axis=0).repeat(2, axis=1)
    cells = twice.reshape(4, side // 2, 4, side // 2).mean(axis=(1, 3))
    others = cells.repeat(side, axis=0).repeat(side, axis=1)[None, :, :, None]  # (1, 4 side, ...)
    assert float(energy.distance(others, fakes)) == pytest.approx(1e-3, abs=1e-5)
    value = float(energy.distance(1 - others, fakes))
    assert value == pytest.approx(np.abs(1 - 2 * cells).mean(), abs=1e-4)


def test_it_draws_every_hue_of_the_reals_but_not_more():
    """Hues that spread half as far as the reals' are driven apart, twice as far together."""
    rng = np.random.default_rng(0)
    slopes = {}
    for spread in (0.5, 1.0, 2.0):
        factor, total = tf.constant(spread), 0.0
        for _ in range(400):
            reals, hues = (tf.constant(rng.normal(0, 0.3, (4, 1, 1, 3)), tf.float32) for _ in "rf")
            with tf.GradientTape() as tape:
                tape.watch(factor)
                wide = tf.ones((1, 4, 4, 1))
                value = energy.distance(wide * reals, wide * factor * hues)
            total += float(tape.gradient(value, factor))
        slopes[spread] = total / 400
    assert slopes[0.5] < -0.1
    assert abs(slopes[1.0]) < 0.05
    assert slopes[2.0] > 0.1


@pytest.mark.parametrize("count", [1, 3])
def test_slopes_are_finite_where_all_are_alike(count):
    fakes = even(*[(0.1, 0.2, 0.3)] * count)
    with tf.GradientTape() as tape:
        tape.watch(fakes)
        value = energy.distance(fakes, fakes)
    assert float(value) == pytest.approx(0, abs=2e-3)
    assert np.isfinite(tape.gradient(value, fakes)).all()


@pytest.mark.parametrize("simultaneous", [False, True])
@pytest.mark.parametrize("loss", ["relativistic", "bce"])
def test_a_step_moves_g_down_its_slopes_too(loss, simultaneous):
    """One step of plain gradient descent with it and one without differ by its slopes alone."""
    recipe = dataclasses.replace(
        PRESETS["fast"], size=32, width=1 / 8, latent_dim=8, batch_size=4, precision="float32",
        optimizer="sgd", beta1=0.0, learning_rate=0.01, decay=0.0, warm_up=0, r1=0.0, r2=0.0,
        augment="none", loss=loss, simultaneous=simultaneous, reuse_fakes=True, energy=5.0,
    )  # fmt: skip
    reals = np.random.default_rng(1).uniform(-1, 1, (4, 32, 32, 3)).astype(np.float32)
    held, free = GAN(recipe), GAN(dataclasses.replace(recipe, energy=0.0))
    begun = GAN(recipe)
    with tf.GradientTape() as tape:
        fakes = begun.generator(Chance(recipe, begun.iteration, D).latents(4), training=True)
        value = 5.0 * energy.distance(tf.constant(reals), fakes)
    slopes = tape.gradient(value, [weight.value for weight in begun.generator.trainable_weights])
    scalars = held.train_on_batch(reals), free.train_on_batch(reals)
    assert scalars[0] == pytest.approx(scalars[1], rel=1e-5)  # the distance is not in the losses
    pairs = zip(held.generator.trainable_weights, free.generator.trainable_weights, strict=True)
    for (with_it, without), slope in zip(pairs, slopes, strict=True):
        step = (without.numpy() - with_it.numpy()) / 0.01
        scale = np.abs(slope).max()
        assert scale > 0
        np.testing.assert_allclose(step, slope, atol=2e-2 * scale + 1e-4, err_msg=without.path)
