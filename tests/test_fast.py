"""The network `fast`, updates of both networks at once, and a learning rate that warms up."""

import dataclasses

import numpy as np
import pytest

from kerasgan import energy, images, models
from kerasgan.backend import keras, tf
from kerasgan.chance import Chance, D
from kerasgan.errors import UserError
from kerasgan.gan import GAN
from kerasgan.losses import LOSSES
from kerasgan.optimizers import build_optimizer
from kerasgan.recipes import PRESETS


@pytest.fixture
def small():
    """`fast` in miniature, trained by plain gradient descent, so that a step tells the slopes."""
    return dataclasses.replace(
        PRESETS["fast"], size=32, width=1 / 8, latent_dim=8, batch_size=4, precision="float32",
        optimizer="sgd", beta1=0.0, learning_rate=0.01, decay=0.0, warm_up=0, r1=1.0, r2=1.0,
        augment="none",
    )  # fmt: skip


def test_it_has_the_channels_that_its_page_says():
    recipe = dataclasses.replace(PRESETS["fast"], precision="float32")
    generator, discriminator = models.build_generator(recipe), models.build_discriminator(recipe)
    assert (generator.count_params(), discriminator.count_params()) == (963_251, 3_127_569)
    sides = [
        (layer.output.shape[1], layer.output.shape[3])
        for layer in discriminator.layers
        if "opening" in layer.name or "halving" in layer.name
    ]
    assert sides == [(32, 48), (16, 96), (8, 192), (4, 384)]


@pytest.mark.parametrize("size", [32, 64, 128, 256])
def test_every_size_it_names_can_be_built(size):
    recipe = dataclasses.replace(PRESETS["fast"], size=size, width=1 / 8, precision="float32")
    pictures = models.build_generator(recipe)(np.ones((2, 64), np.float32))
    assert pictures.shape == (2, size, size, 3)
    assert models.build_discriminator(recipe)(pictures).shape == (2, 1)


def test_only_a_latents_direction_counts(small):
    generator = models.build_generator(small)
    latents = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    near, far = generator(latents), generator(10 * latents)
    np.testing.assert_allclose(near, far, rtol=1e-3, atol=1e-5)


def test_no_grid_of_dots_is_left_where_the_features_are_even(small):
    """A transposed convolution draws an even colour as four that alternate by row and column."""
    generator = models.build_generator(small)
    last = next(layer for layer in reversed(generator.layers) if "doubling" in layer.name)
    rest = keras.Model(last.input, [last.output, generator.output])
    even = np.random.default_rng(0).normal(size=(1, 1, 1, last.input.shape[-1]))
    dotted, pictures = rest(np.tile(even.astype(np.float32), (1, 16, 16, 1)))
    inner = slice(6, -6)  # pixels that no border reaches
    assert np.ptp(dotted[:, inner, inner], axis=(1, 2)).min() > 0.01
    assert np.ptp(pictures[:, inner, inner], axis=(1, 2)).max() < 1e-5


def test_what_is_saved_stays_in_bounds_and_draws_the_same(small):
    trained, saved = models.build_generator(small), models.build_portable_generator(small)
    wide = [8 * weight for weight in trained.get_weights()]
    trained.set_weights(wide)
    saved.set_weights(wide)
    latents = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    free, bounded = trained(latents).numpy(), saved(latents).numpy()
    assert np.abs(free).max() > 1 == np.abs(bounded).max()
    np.testing.assert_allclose(bounded, np.clip(free, -1, 1), atol=1e-5)
    np.testing.assert_array_equal(images.to_uint8(free), images.to_uint8(bounded))


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("loss", ["relativistic", "bce"])
def test_a_simultaneous_step_follows_the_slopes_of_both_losses(small, eagerly, loss, apart):
    """Against each network's own slopes, with the other as it was, taken by a tape of its own."""
    recipe = dataclasses.replace(
        small, loss=loss, penalty_every=1, label_noise=0.0, separate_batches=apart
    )
    reals = np.random.default_rng(1).uniform(-1, 1, (4, 32, 32, 3)).astype(np.float32)
    gan = GAN(recipe)
    twin = GAN(recipe)
    latents = Chance(twin.recipe, twin.iteration, D).latents(4)
    functions = LOSSES[loss]

    with tf.GradientTape(persistent=True) as tape:
        fakes = twin.generator(latents, training=True)
        real_logits = twin.playing[D](reals, training=True)
        fake_logits = twin.playing[D](fakes, training=True)
        paired = [real_logits] if recipe.loss_traits.paired else []
        a_loss = functions.generator(fake_logits, *paired)
        d_loss = functions.discriminator(real_logits, fake_logits)
        slopes = []
        for pictures in (tf.constant(reals), tf.stop_gradient(fakes)):
            with tf.GradientTape() as inner:
                inner.watch(pictures)
                total = tf.reduce_sum(twin.playing[D](pictures, training=True))
            slopes.append(tf.reduce_sum(inner.gradient(total, pictures) ** 2) / 4)
        g_objective = a_loss + recipe.energy * energy.distance(reals, fakes)
        objective = d_loss + slopes[0] / 2 + slopes[1] / 2
    expected = [
        (network, tape.gradient(value, [w.value for w in network.trainable_weights]))
        for network, value in ((twin.generator, g_objective), (twin.discriminator, objective))
    ]
    scalars = gan.train_on_batch(reals)
    assert scalars["a_loss"] == pytest.approx(float(a_loss), rel=1e-4)
    assert scalars["d_loss"] == pytest.approx(float(d_loss), rel=1e-4)
    for network, gradients in expected:
        moved = gan.generator if network is twin.generator else gan.discriminator
        for before, after, slope in zip(
            network.trainable_weights, moved.trainable_weights, gradients, strict=True
        ):
            step = (before.numpy() - after.numpy()) / 0.01
            scale = np.abs(slope).max()
            assert scale > 0 or before.path == "logits/bias"  # a difference has no level
            np.testing.assert_allclose(step, slope, atol=2e-2 * scale + 1e-4, err_msg=before.path)


@pytest.mark.parametrize(
    ("typed", "bias"),
    [
        ({"loss": "relativistic"}, 0.0),
        ({"loss": "bce"}, -150.0),
        # D's loss is flat at its label: sigmoid(-ln 9) is 0.1.
        ({"loss": "bce", "label_smoothing": 0.1, "smooth_fakes": True}, -np.log(9.0)),
    ],
)
def test_g_is_pushed_where_ds_own_slope_is_next_to_nothing(small, eagerly, typed, bias):
    """Against G's own slopes, with reals whose logits are 150 higher than those of zeros."""
    recipe = dataclasses.replace(small, r1=0.0, r2=0.0, energy=0.0, label_noise=0.0, **typed)
    gan, twin = GAN(recipe), GAN(recipe)
    for one in (gan, twin):
        *inner, _ = one.discriminator.get_weights()
        one.discriminator.set_weights([*inner, np.array([bias], np.float32)])
    pattern = np.random.default_rng(1).uniform(-1, 1, (1, 32, 32, 3)).astype(np.float32)
    # Without biases in its inner layers D is linear along a line from the origin.
    reals = max((sign * pattern for sign in (-1, 1)), key=lambda x: twin.playing[D](x) - bias)
    reals = np.repeat(reals * 150 / (twin.playing[D](reals) - bias), 4, axis=0)
    latents = Chance(recipe, twin.iteration, D).latents(4)
    with tf.GradientTape() as tape:
        fakes = twin.generator(latents, training=True)
        logits = twin.playing[D](tf.constant(reals)), twin.playing[D](fakes)
        paired = [logits[0]] if recipe.loss_traits.paired else []
        a_loss = LOSSES[recipe.loss].generator(logits[1], *paired)
    weights = twin.generator.trainable_weights
    slopes = tape.gradient(a_loss, [weight.value for weight in weights])
    gan.train_on_batch(reals)
    assert max(np.abs(slope).max() for slope in slopes) > 0
    for before, after, slope in zip(weights, gan.generator.trainable_weights, slopes, strict=True):
        step = (before.numpy() - after.numpy()) / 0.01
        scale = np.abs(slope).max()
        np.testing.assert_allclose(step, slope, atol=2e-2 * scale + 1e-4, err_msg=before.path)


@pytest.mark.parametrize(
    ("typed", "rule"),
    [
        ({"loss": "hinge"}, "bce, relativistic"),
        ({"n_critic": 2}, "--n-critic 1"),
        ({"precision": "float16"}, "too small for float16"),
        ({"r1": 0.0, "r2": 0.0, "d_batch_norm": True}, "--no-simultaneous"),
    ],
)
def test_updates_at_once_are_refused_where_slopes_do_not_follow(typed, rule):
    with pytest.raises(UserError, match=rule):
        dataclasses.replace(PRESETS["fast"], **typed)
    dataclasses.replace(PRESETS["fast"], simultaneous=False, **typed)


def test_a_rate_warms_up_evenly_then_decays(small):
    recipe = dataclasses.replace(small, warm_up=4, decay=0.5)
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    slowdown = tf.Variable(1.0)
    optimizer = build_optimizer(recipe, network, 0.8, slowdown)
    rates = []
    for _ in range(6):
        rates.append(float(optimizer.learning_rate))
        optimizer.apply([tf.zeros((1, 1)), tf.zeros(1)], network.trainable_weights)
    fractions = np.minimum(np.arange(1, 7) / 4, 1)
    np.testing.assert_allclose(rates, 0.8 * fractions / (1 + 0.5 * np.arange(6)), rtol=1e-5)
    slowdown.assign(0.25)
    assert float(optimizer.learning_rate) == pytest.approx(0.8 * 0.25 / (1 + 0.5 * 6))
