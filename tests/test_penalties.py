"""Penalties on D's slope, and their own gradients, against finite differences."""

import dataclasses

import numpy as np
import pytest

from kerasgan import models, penalties
from kerasgan.backend import tf

STEP = 1e-2


@pytest.fixture
def curved(tiny):
    """A small smooth D, whose slope differs from place to place."""
    recipe = dataclasses.replace(tiny, network="mlp", size=8, leaky_slope=1.0, init_std=0.1)
    critic = models.logits_of(models.build_discriminator(recipe))
    return lambda pictures: (
        tf.sin(critic(pictures)) + 0.1 * tf.reduce_sum(tf.square(pictures), axis=[1, 2, 3])[:, None]
    )


@pytest.fixture
def pictures():
    return tf.constant(np.random.default_rng(0).uniform(-1, 1, (3, 8, 8, 3)), tf.float32)


def differences(function, at):
    """The gradient of each picture's value by central differences in every number."""
    at = at.numpy().astype(np.float64)
    gradient = np.zeros_like(at)
    function = tf.function(function)
    for place in np.ndindex(*at.shape[1:]):
        moved = np.zeros_like(at)
        moved[(slice(None), *place)] = STEP
        above, below = (function(tf.constant(at + m, tf.float32)) for m in (moved, -moved))
        gradient[(slice(None), *place)] = (above - below).numpy()[:, 0] / (2 * STEP)
    return gradient


def test_squared_slopes_are_those_of_differences(curved, pictures):
    expected = np.sum(differences(curved, pictures) ** 2, axis=(1, 2, 3))
    np.testing.assert_allclose(penalties.squared_slopes(curved, pictures), expected, rtol=1e-3)
    assert np.ptp(expected) > 0.01


def test_penalties_by_hand():
    """D(x) = 3 * sum(x), of slope 3 * sqrt(12) at every picture of 12 numbers."""
    linear = lambda x: 3 * tf.reduce_sum(x, axis=[1, 2, 3])[:, None]  # noqa: E731
    pictures = tf.zeros((2, 2, 2, 3))
    assert float(penalties.zero_centred(linear, pictures)) == pytest.approx(9 * 12 / 2)
    expected = (3 * 12**0.5 - 1) ** 2
    assert float(penalties.one_centred(linear, pictures)) == pytest.approx(expected)


def test_a_flat_critic_is_penalised_without_nan():
    weight = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        flat = lambda x: weight * tf.reduce_sum(x, axis=[1, 2, 3])[:, None]  # noqa: E731
        value = penalties.one_centred(flat, tf.ones((2, 2, 2, 3)))
    assert float(value) == pytest.approx(1.0, abs=1e-5)
    assert np.isfinite(tape.gradient(value, weight))


@pytest.mark.parametrize("name", ["zero_centred", "one_centred"])
@pytest.mark.parametrize("network", ["article", "dcgan", "mlp"])
def test_gradients_with_respect_to_weights_are_those_of_differences(tiny, network, name):
    """The second derivatives that D's update takes; without bends, which differences trip over."""
    recipe = dataclasses.replace(tiny, network=network, leaky_slope=1.0, init_std=0.1, dropout=0.0)
    critic = models.logits_of(models.build_discriminator(recipe))
    pictures = tf.constant(np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)), tf.float32)
    kernels = [weight for weight in critic.trainable_weights if weight.name == "kernel"]
    if network != "mlp":
        # Slopes of some size, so that differences of the penalty are not lost in rounding.
        for kernel in kernels:
            kernel.assign(10 * kernel.value)

    def penalty():
        return getattr(penalties, name)(critic, pictures)

    with tf.GradientTape() as tape:
        value = penalty()
    gradients = tape.gradient(value, [kernel.value for kernel in kernels])
    for kernel, gradient in zip(kernels, gradients, strict=True):
        start, way = kernel.numpy(), tf.math.l2_normalize(gradient).numpy()
        step = 0.01 * np.linalg.norm(start)
        kernel.assign(start + step * way)
        above = float(penalty())
        kernel.assign(start - step * way)
        below = float(penalty())
        kernel.assign(start)
        assert float(tf.norm(gradient)) == pytest.approx((above - below) / (2 * step), rel=0.01)


@pytest.mark.parametrize("network", ["article", "dcgan", "mlp"])
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_low_precision_stays_near_float32(tiny, network, precision):
    recipe = dataclasses.replace(tiny, network=network, width=1 / 8, dropout=0.0, init_std=0.1)
    exact = models.build_discriminator(recipe)
    rough = models.build_discriminator(dataclasses.replace(recipe, precision=precision))
    rough.set_weights(exact.get_weights())
    pictures = tf.constant(np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)), tf.float32)
    found = []
    for network in (exact, rough):
        with tf.GradientTape() as tape:
            value = penalties.zero_centred(models.logits_of(network), pictures)
        gradients = tape.gradient(value, [w.value for w in network.trainable_weights])
        norms = [float(tf.norm(g)) for g in gradients if g is not None]
        found.append([float(value), *norms])
    np.testing.assert_allclose(found[1], found[0], rtol=0.1, atol=1e-3 * max(found[0]))


def test_between_lies_on_the_way():
    real, fake = tf.ones((100, 2, 2, 3)), tf.fill((100, 2, 2, 3), 3.0)
    mixed = penalties.between(real, fake, tf.constant([1, 2], tf.int64)).numpy()
    shares = (mixed[:, 0, 0, 0] - 1) / 2
    np.testing.assert_allclose(
        mixed, np.broadcast_to(shares[:, None, None, None] * 2 + 1, mixed.shape)
    )
    assert shares.min() >= 0 and shares.max() < 1 and 0.4 < shares.mean() < 0.6
