"""Losses against values computed by hand."""

import math

import pytest

from kerasgan import losses
from kerasgan.backend import tf


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
