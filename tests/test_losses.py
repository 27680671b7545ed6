"""Losses against values computed by hand."""

import math

import numpy as np
import pytest

from kerasgan import losses, recipes
from kerasgan.backend import tf


def generator_loss(name, fake, real):
    paired = recipes.LOSS_TRAITS[name].paired
    return losses.LOSSES[name].generator(fake, *([real] if paired else []))


def softplus(x):
    return math.log1p(math.exp(x))


def test_discriminator_loss_by_hand():
    real, fake = tf.constant([[2.0], [-1.0]]), tf.constant([[0.5], [-3.0]])
    # -log sigmoid(x) = softplus(-x) for reals, -log(1 - sigmoid(x)) = softplus(x) for fakes.
    expected = (softplus(-2) + softplus(1) + softplus(0.5) + softplus(-3)) / 4
    assert float(losses.bce_discriminator_loss(real, fake)) == pytest.approx(expected, rel=1e-6)


def test_noisy_labels_by_hand():
    real, fake = tf.constant([[1.0]]), tf.constant([[-1.0]])
    # cross-entropy with label y is softplus(x) - x * y, for y outside [0, 1] too
    expected = (softplus(1) - 1 * 0.97 + softplus(-1) - (-1) * (-0.04)) / 2
    value = losses.bce_discriminator_loss(real, fake, tf.constant([[0.97]]), tf.constant([[-0.04]]))
    assert float(value) == pytest.approx(expected, rel=1e-6)


def test_generator_loss_by_hand():
    value = losses.bce_generator_loss(tf.constant([[0.0], [4.0]]))
    assert float(value) == pytest.approx((math.log(2) + softplus(-4)) / 2, rel=1e-6)


def test_extreme_logits_stay_finite():
    huge = tf.constant([[1e4]])
    assert float(losses.bce_generator_loss(-huge)) == pytest.approx(1e4)
    assert float(losses.bce_discriminator_loss(huge, -huge)) == pytest.approx(0.0)


REAL, FAKE = tf.constant([[2.0], [-1.0]]), tf.constant([[0.5], [-3.0]])


def test_every_loss_of_the_recipe_has_its_functions():
    assert tuple(losses.LOSSES) == tuple(recipes.LOSS_TRAITS) == recipes.LOSSES
    assert set(recipes.LABELLED) | set(recipes.SIGNED) < set(recipes.LOSSES)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bce", (softplus(-2) + softplus(1) + softplus(0.5) + softplus(-3)) / 4),
        ("saturating", (softplus(-2) + softplus(1) + softplus(0.5) + softplus(-3)) / 4),
        # ((2 - 1)^2 + (-1 - 1)^2) / 2 = 2.5 of reals, (0.5^2 + 3^2) / 2 = 4.625 of fakes; halved
        ("lsgan", (2.5 + 4.625) / 2),
        ("wgan", (0.5 - 3) / 2 - (2 - 1) / 2),
        ("wgan-gp", (0.5 - 3) / 2 - (2 - 1) / 2),
        # reals: max(0, 1 - 2) = 0 and 1 + 1 = 2; fakes: 1.5 and max(0, 1 - 3) = 0
        ("hinge", (0 + 2) / 2 + (1.5 + 0) / 2),
        # pairs: D should say more of 2 than of 0.5, and of -1 than of -3
        ("relativistic", (softplus(0.5 - 2) + softplus(-3 + 1)) / 2),
    ],
)
def test_discriminator_losses_by_hand(name, expected):
    value = losses.LOSSES[name].discriminator(REAL, FAKE)
    assert float(value) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bce", (softplus(-0.5) + softplus(3)) / 2),
        # log(1 - sigmoid(x)) = -softplus(x)
        ("saturating", -(softplus(0.5) + softplus(-3)) / 2),
        ("lsgan", ((0.5 - 1) ** 2 + (-3 - 1) ** 2) / 2 / 2),
        ("wgan", -(0.5 - 3) / 2),
        ("wgan-gp", -(0.5 - 3) / 2),
        ("hinge", -(0.5 - 3) / 2),
        ("relativistic", (softplus(2 - 0.5) + softplus(-1 + 3)) / 2),
    ],
)
def test_generator_losses_by_hand(name, expected):
    value = generator_loss(name, FAKE, REAL)
    assert float(value) == pytest.approx(expected, rel=1e-6)


def test_least_squares_keep_to_their_labels():
    value = losses.lsgan_discriminator_loss(REAL, FAKE, tf.constant([[0.9], [0.8]]), 0.1)
    expected = (1.1**2 + 1.8**2 + 0.4**2 + 3.1**2) / 4
    assert float(value) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", recipes.LOSSES)
def test_losses_fall_where_their_network_gains(name):
    """D gains by moving reals up and fakes down; G by moving fakes up."""
    loss = losses.LOSSES[name]
    real, fake = tf.constant([[0.3], [-0.2]]), tf.constant([[0.1], [-0.4]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([real, fake])
        d_loss = loss.discriminator(real, fake)
        a_loss = generator_loss(name, fake, real)
    up, down = tape.gradient(d_loss, [real, fake])
    assert np.all(up.numpy() < 0)
    # Least squares draw fakes to 0 from either side.
    assert np.all(down.numpy() * (np.sign(fake) if name == "lsgan" else 1) > 0)
    assert np.all(tape.gradient(a_loss, fake).numpy() < 0)
